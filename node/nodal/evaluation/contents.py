"""What an evaluation report says and in which order; the headline first, what may not be relied on last."""

from __future__ import annotations

from lymphoma.evaluation.result import EndpointResult, Evaluation
from lymphoma.lamp.organ_map import OrganMap

from nodal.evaluation.cohort_tables import control_table, covariate_table, fold_table, one_table, subgroup_table
from nodal.evaluation.group_tables import group_table, threshold_table
from nodal.evaluation.organ_picture import organ_section
from nodal.evaluation.page import Block, Facts, Figures, Notice, Page, Paragraph, Section
from nodal.evaluation.patients import Origins
from nodal.evaluation.pictures import (
    CALIBRATION_KEY,
    added_forest,
    calibration_figures,
    decision_figures,
    discrimination_forest,
    group_figure,
)
from nodal.evaluation.provenance import Provenance
from nodal.evaluation.tables import (
    added_benefit_table,
    added_table,
    as_published_table,
    benefit_table,
    calibration_table,
    comparison_table,
    model_table,
)
from nodal.evaluation.words import ENDPOINTS, count, years

__all__ = ["contents_of"]

TITLE = "Evaluation of prognostic models"
VIRTUAL = "VIRTUAL PATIENTS · simulated, not people: nothing here says how well a model works on patients"
KINDS = {"virtual": "virtual patients", "patients": "patients"}
VIRTUAL_LIMIT = (
    "The patients are virtual. Their risk follows a known rule, so that methods can be compared; the figures say "
    "nothing about a model's worth in care."
)
LIMITS = (
    "Intervals come from resampling the patients of each test fold. They do not hold the variation that another "
    "training cohort, or other folds, would bring.",
    "Patients for whom a model lacks a value are left out, not filled in; the common set may differ from the cohort.",
    "A published index is used with its own points. Its survival is a Cox model on those points, fitted in the "
    "training fold, so that only its ranking is the published one.",
    "A C-index near another does not make two models exchangeable: calibration and net benefit decide what they are "
    "good for.",
)
AS_PUBLISHED = (
    "These figures leave out the patients who were censored before the time named. With censoring they do not hold; "
    "they stand here only because papers print them, to be set beside those papers."
)


def contents_of(evaluation: Evaluation, provenance: Provenance | None = None, organs: OrganMap | None = None) -> Page:
    """The report of an evaluation, of what it was made from, and of the organs that a system was shown."""
    sections = [_subject(evaluation, provenance)]
    for result in evaluation.endpoints:
        sections += _endpoint(result)
    if organs is not None:
        sections.append(organ_section(organs))
    sections.append(_limits(evaluation))
    return Page(
        TITLE,
        f"{evaluation.cohort} · {count(evaluation.patients)} patients",
        (Notice(VIRTUAL, "banner"),) if evaluation.virtual else (),
        tuple(sections),
        " · ".join((*_signature(provenance), evaluation.cohort)),
    )


def _signature(provenance: Provenance | None) -> tuple[str, ...]:
    return () if provenance is None else (f"Nodal {provenance.node_version}",)


def _subject(evaluation: Evaluation, provenance: Provenance | None) -> Section:
    entries: list[tuple[str, tuple[str, ...]]] = [
        ("Cohort", (evaluation.cohort,)),
        ("Patients", (f"{count(evaluation.patients)} from {_plural(evaluation.centres, 'centre')}",)),
        ("Kind", ("virtual patients, simulated" if evaluation.virtual else "patients",)),
    ]
    for result in evaluation.endpoints:
        followed = "not reached" if result.follow_up_months is None else f"{result.follow_up_months:.1f} months"
        lines = (
            f"{count(result.n)} judged of {count(result.n_known)} with a known outcome, {count(result.events)} events",
            f"median follow-up {followed} (reverse Kaplan-Meier)",
            f"{result.protocol.label}, seed {result.protocol.seed}",
        )
        entries.append((ENDPOINTS[result.endpoint], lines))
    entries += [
        ("Intervals", (f"{count(evaluation.resamples)} bootstrap resamples, seed {evaluation.seed}",)),
        ("Versions", (", ".join((*_signature(provenance), *(f"{name} {v}" for name, v in evaluation.versions))),)),
    ]
    if provenance is not None:
        entries += [*_bundles(provenance), ("Measures", _measures(provenance.origins))]
        entries.append(("Cohort's digest", (f"SHA-256 {provenance.cohort_sha256}",)))
    return Section("What was judged, and on whom", (Facts(tuple(entries)),), level=1)


def _bundles(provenance: Provenance) -> list[tuple[str, tuple[str, ...]]]:
    found: list[tuple[str, tuple[str, ...]]] = []
    for one in provenance.bundles:
        how = "each patient by its prediction without him or her" if one.out_of_fold else "as it is"
        lines = (
            f"{one.name} {one.version}, level {one.level}, trained on {KINDS[one.trained_on]}; judged {how}",
            f"SHA-256 {one.sha256}",
        )
        found.append(("Bundle", lines))
    return found or [("Bundles", ("none: the baselines alone",))]


def _measures(origins: Origins) -> tuple[str, ...]:
    """Where the PET measures come from, and who is not among the patients."""
    parts = (
        (origins.table, "from measures.csv"),
        (origins.reference, "inside a contour"),
        (origins.segmented, f"inside the node's own segmentation ({origins.method})"),
        (origins.unmeasured, "without: their images could not be measured"),
    )
    left = ((origins.without_outcome, "rows without an outcome"), (origins.unusable, "rows that cannot be used"))
    lines = ("; ".join(f"{count(n)} {words}" for n, words in parts if n),)
    out = ", ".join(f"{count(n)} {words}" for n, words in left if n)
    return (*lines, f"Not among the patients: {out}") if out else lines


def _plural(number: int, word: str) -> str:
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def _endpoint(result: EndpointResult) -> list[Section]:
    name = ENDPOINTS[result.endpoint]
    notes: tuple[Block, ...] = tuple(Paragraph(note, "small") for note in result.notes)
    found = [
        Section(name, (), level=1),
        Section("What is added to the refitted IMPI", (*_added(result), *notes)),
        Section("The models side by side", (Figures((discrimination_forest(result),)), model_table(result))),
        Section("Calibration", (*_calibration(result), calibration_table(result))),
        Section("Risk groups", (*_groups(result), group_table(result), threshold_table(result))),
        Section("Net benefit", (Figures(decision_figures(result)), benefit_table(result))),
    ]
    if result.comparisons:
        found.append(Section("Comparisons", (comparison_table(result),)))
    found.append(Section("Covariates", (covariate_table(result.cox),)))
    if result.table_ones:
        found.append(Section("The patients", tuple(one_table(table) for table in result.table_ones)))
    if result.subgroups:
        found.append(Section("By centre", (subgroup_table(result),)))
    if result.controls:
        found.append(Section("Controls", (control_table(result),)))
    found.append(Section("Folds", (fold_table([result]),)))
    if any(one.as_published.horizons for one in result.results):
        warning = Notice(AS_PUBLISHED)
        found.append(Section("As published", (warning, as_published_table(result)), apart=True))
    return found


def _added(result: EndpointResult) -> tuple[Block, ...]:
    verdicts = tuple(Paragraph(one.verdict.sentence, "lead") for one in result.added)
    picture = added_forest(result)
    if picture is None:
        return (Paragraph("No model could be set beside the refitted IMPI.", "lead"),)
    return (*verdicts, Figures((picture,)), added_table(result), added_benefit_table(result))


def _calibration(result: EndpointResult) -> tuple[Block, ...]:
    found = [(one.model.label, calibration_figures(one)) for one in result.results]
    drawn = tuple(Figures(pictures, label) for label, pictures in found if pictures)
    return (Paragraph(CALIBRATION_KEY, "small"), *drawn) if drawn else ()


def _groups(result: EndpointResult) -> tuple[Block, ...]:
    pictures = tuple(picture for one in result.results if (picture := group_figure(one)) is not None)
    if not pictures:
        return ()
    months = {one.groups.cutoff_months for one in result.results if one.groups.curves}
    horizon = " and ".join(years(each) for each in sorted(months))
    return (Paragraph(f"Cut-offs by Youden's index at {horizon}.", "small"), Figures(pictures))


def _limits(evaluation: Evaluation) -> Section:
    said = (VIRTUAL_LIMIT, *LIMITS) if evaluation.virtual else LIMITS
    return Section("Limits", tuple(Paragraph(text) for text in said), level=1)
