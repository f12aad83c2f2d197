"""``nodal evaluate``: bundles and baselines are judged on a cohort folder, and a report is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lymphoma.combined import COMBINED
from lymphoma.evaluation.evaluate import Options, evaluate
from lymphoma.evaluation.result import Evaluation
from lymphoma.evaluation.scoring import with_scores
from lymphoma.lamp.organ_map import organ_map
from lymphoma.training.bundle import Bundle

from nodal.errors import WrongUsage
from nodal.evaluation.image_scores import with_image_scores
from nodal.evaluation.opening import open_bundle
from nodal.evaluation.patients import patients_with_origins
from nodal.evaluation.provenance import Provenance, provenance_of
from nodal.evaluation.report import check_folder, write_report
from nodal.settings import Settings

__all__ = ["Judgement", "Order", "judge_cohort"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Order:
    """What is to be judged.

    Attributes:
        bundles: their folders; none judges the baselines alone. cohort: folder with cohort.csv. out: of the report.
    """

    bundles: Sequence[Path]
    cohort: Path
    out: Path
    options: Options


@dataclass(frozen=True)
class Judgement:
    """An evaluation, what it was made from, and its report: JSON, HTML and PDF."""

    evaluation: Evaluation
    provenance: Provenance
    files: tuple[Path, Path, Path]


def judge_cohort(order: Order, settings: Settings | None = None, progress: Progress | None = None) -> Judgement:
    """Reads the cohort, judges and writes the report.

    A patient that a bundle was trained on is judged by the bundle's prediction without him or her.

    Args:
        progress: called with what is done, steps done and steps in all.

    Raises:
        WrongUsage: no such folder, a report folder that holds other things, two bundles of one name, a centre that the
            cohort does not have.
        Refused: COHORT_TABLE; NO_USABLE_PATIENT. CannotDo: the codes of bundles and of
            :func:`lymphoma.evaluation.evaluate.evaluate`.
    """
    tell = progress or (lambda what, done, of: None)
    check_folder(order.out)
    bundles = _open(order.bundles)
    patients, origins = patients_with_origins(order.cohort, settings, lambda done, of: tell("patients", done, of))
    centre = order.options.protocol.centre
    if centre is not None and centre not in patients.centres:
        raise WrongUsage(f"no patient of the cohort is of the centre {centre}")
    seen = with_image_scores(patients, bundles, order.cohort, settings, lambda done, of: tell("images", done, of))
    patients = seen.patients
    # A combined bundle reads the words of the others.
    for combined in (False, True):
        part = [one for one in bundles if (one.metadata.nodal.system == COMBINED) == combined]
        patients = with_scores(patients, part)
    evaluation = evaluate(patients, order.options, progress=lambda done, of, what: tell(what, done, of))
    provenance = provenance_of(patients, bundles, origins)
    organs = None if seen.cohort is None else organ_map(seen.cohort.pooled)
    return Judgement(evaluation, provenance, write_report(evaluation, order.out, provenance, organs))


def _open(folders: Sequence[Path]) -> list[Bundle]:
    bundles = [open_bundle(folder) for folder in folders]
    names = [bundle.metadata.name for bundle in bundles]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise WrongUsage(
            f"{len(folders)} bundles, of which two are named {twice[0]}; a report tells them apart by name"
        )
    return bundles
