"""A fitted combination as a bundle, at the lowest evidence level of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from lymphoma.combined import COMBINED
from lymphoma.combined.fit import CombinedFit
from lymphoma.combined.model import score_name
from lymphoma.combined.store import combined_to_json
from lymphoma.errors import NotComputable
from lymphoma.evaluation.combine import EQUAL_BELOW_EVENTS, EVENTS_PER_PARAMETER, IMPI, OUTER_FOLDS
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.store import OutOfFold
from lymphoma.training.bundle import Bundle, Survival, export_bundle
from lymphoma.training.evidence import CohortEvidence, EndpointEvidence, Evidence, MetricEstimate
from lymphoma.training.metadata import Description, contents_digest
from lymphoma.training.statistics import RangeStatistics, fit_statistics

__all__ = ["VERSION", "combined_level", "export_combined"]

VERSION = "1.0.0"


def combined_level(parts: Sequence[Bundle], patients: Patients) -> Literal["E0", "E1"]:
    """The lowest of the parts and the cohort. Never E2: the weights themselves were seen by one cohort only."""
    virtual = patients.virtual or any(one.metadata.nodal.trained_on == "virtual" for one in parts)
    return "E0" if virtual or any(one.evidence.level == "E0" for one in parts) else "E1"


def export_combined(
    folder: Path, fits: Sequence[CombinedFit], parts: Sequence[Bundle], patients: Patients, *, name: str
) -> Bundle:
    """Writes the bundle; one of level E1 loads only after an acceptance run.

    Args:
        fits: one for each endpoint. parts: the bundles they were fitted with. name: of the bundle.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS``, ``STATISTICS_UNFIT``.
        NotComputable: ``NO_EFFECT`` where no endpoint's combination orders new patients better than chance.
    """
    if not any(_beats_chance(fit) for fit in fits):
        raise NotComputable("NO_EFFECT", "the combination does not order patients better than chance")
    contents = patients.contents
    predictions = {
        fit.combined.endpoint: {
            contents[position]: float(lp) for position, lp in zip(fit.index, fit.out_of_fold, strict=True)
        }
        for fit in fits
    }
    models = tuple(fit.combined.full.model for fit in fits if fit.combined.full is not None)
    further = {score_name(fit.combined.endpoint): combined_to_json(fit.combined) for fit in fits}
    holds = Survival(models, OutOfFold(OUTER_FOLDS, predictions), further)
    said = _description(fits, parts, patients, name)
    return export_bundle(folder, said, {}, None, _statistics(fits), _evidence(fits, parts, patients), survival=holds)


def _beats_chance(fit: CombinedFit) -> bool:
    return fit.combined.full is not None and fit.combined.full.concordance.lower > 0.5


def _statistics(fits: Sequence[CombinedFit]) -> RangeStatistics:
    """Of the inputs of all endpoints, over the patients who have them all; the IMPI once."""
    index = fits[0].index
    for fit in fits[1:]:
        index = np.intersect1d(index, fit.index)
    columns: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for fit in fits:
        rows = np.searchsorted(fit.index, index)
        for number, name in enumerate(fit.combined.inputs):
            columns[IMPI if name == IMPI else f"{name}_{fit.combined.endpoint}"] = fit.values[rows, number]
    return fit_statistics(tuple(columns), np.stack(list(columns.values()), axis=1))


def _evidence(fits: Sequence[CombinedFit], parts: Sequence[Bundle], patients: Patients) -> Evidence:
    figures = tuple(
        EndpointEvidence(
            fit.combined.endpoint,
            full.blend.n,
            full.blend.events,
            full.concordance.estimate,
            full.concordance.lower,
            full.concordance.upper,
            out_of_fold=True,
        )
        for fit in fits
        if (full := fit.combined.full) is not None
    )
    metrics = tuple(
        MetricEstimate(f"{one.endpoint}_harrell_c", one.harrell_c, one.low, one.high, patients.cohort)
        for one in figures
    )
    return Evidence(
        level=combined_level(parts, patients),
        cohort=patients.cohort,
        n=figures[0].n,
        events=figures[0].events,
        trained=True,
        metrics=metrics,
        internal=CohortEvidence(patients.cohort, contents_digest(patients.contents), figures),
    )


def _description(fits: Sequence[CombinedFit], parts: Sequence[Bundle], patients: Patients, name: str) -> Description:
    virtual = combined_level(parts, patients) == "E0"
    named = ", ".join(f"{one.metadata.name} {one.metadata.version}" for one in parts)
    return Description(
        name=name,
        system=COMBINED,
        version=VERSION,
        task="Survival of patients with aggressive lymphoma from several systems and the IMPI",
        description=f"One score of {named} and the IMPI, with weights that are never negative.",
        authors="Fitted with Nodal on the cohort named below",
        copyright="Apache-2.0",
        changelog={VERSION: "first fit"},
        trained_on="virtual" if virtual else "patients",
        cohort=patients.cohort,
        cohort_digest=contents_digest(patients.contents),
        folds=OUTER_FOLDS,
        folds_digest=None,
        generator=next((one.metadata.nodal.generator for one in parts if one.metadata.nodal.generator), None),
        inputs={},
        outputs={},
        intended_use="Prognosis before treatment, read by a physician beside the published indices.",
        limits=tuple(_limits(fits)),
    )


def _limits(fits: Sequence[CombinedFit]) -> list[str]:
    said = ["Reads the very bundles it was fitted with; another version of one of them needs another fit."]
    for fit in fits:
        full, endpoint = fit.combined.full, fit.combined.endpoint.upper()
        if full is None:
            continue
        dropped = [name for name in full.blend.inputs if name not in full.blend.used]
        if full.blend.rule == "equal":
            said.append(f"{endpoint}: equal weights, as there are fewer than {EQUAL_BELOW_EVENTS} events.")
        if dropped:
            said.append(f"{endpoint}: {EVENTS_PER_PARAMETER} events a weight leave out {', '.join(dropped)}.")
        said += [f"{endpoint}: no sub-model of {' + '.join(one.inputs)}: {one.reason}." for one in fit.combined.passed]
    return said
