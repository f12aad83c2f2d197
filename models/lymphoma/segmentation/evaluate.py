"""``python -m lymphoma.segmentation.evaluate``: lesion segmenters beside each other on virtual patients.

Judged are SUV >= 4 alone, 41 % of SUVmax, the plain U-Net, LAMP's lesion network and the hybrid of candidates, organs
and reviewer: Dice, FPV, FNV, lesion precision and recall, and what is removed and kept of SUV >= 4, with intervals over
patients. A patient's results are kept as they come; the same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import structlog
import torch

from lymphoma.anatomy import Anatomy, AnatomyEngine, NoAnatomy
from lymphoma.anatomy.shipped import open_anatomy
from lymphoma.errors import NotComputable
from lymphoma.logs import log_to_stderr
from lymphoma.segmentation.agreement import LesionAgreement, agreement
from lymphoma.segmentation.evaluated import Evaluation, Judged, Kept, figures_of, tables_of, write_evaluation
from lymphoma.segmentation.methods import (
    Method,
    anatomy_digest,
    hybrid_method,
    lamp_method,
    plain_method,
    threshold_methods,
)
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.sets import SETS
from lymphoma.training.case import Case, Cohort, Subject

__all__ = ["generator_a", "judge", "main", "methods_of", "options", "report"]

log = structlog.get_logger()

COHORT = "network-test"
MIN_VOLUME_ML = 3.0


def judge(cohort: Cohort, methods: Sequence[Method], engine: AnatomyEngine, kept: Kept) -> Judged:
    """Draws and compares; results that are kept already are taken as they are.

    Args:
        cohort: each patient with a reference. engine: whose organs a method gets that needs them.
    """
    names = [name for method in methods for name in method.names]
    results: dict[str, list[LesionAgreement]] = {name: [] for name in names}
    began, made = time.monotonic(), 0
    for done, subject in enumerate(cohort.subjects, start=1):
        known = _known(subject, methods, kept)
        missing = [method for method in methods if any(name not in known for name in method.names)]
        if missing:
            found = _judged(cohort.load(subject), missing, engine)
            for method in missing:
                for name in method.names:
                    kept.put(subject.patient_id, name, _key(subject, method), found[name])
            known |= found
            made += 1
            left_s = (time.monotonic() - began) / made * (len(cohort.subjects) - done)
            log.info("patient_judged", cohort=cohort.name, done=done, of=len(cohort.subjects), left_s=round(left_s))
        for name in names:
            results[name].append(known[name])
    return results


def _known(subject: Subject, methods: Sequence[Method], kept: Kept) -> dict[str, LesionAgreement]:
    found = {}
    for method in methods:
        for name in method.names:
            one = kept.get(subject.patient_id, name, _key(subject, method))
            if one is not None:
                found[name] = one
    return found


def _judged(case: Case, methods: Sequence[Method], engine: AnatomyEngine) -> dict[str, LesionAgreement]:
    if case.lesions is None:
        raise NotComputable("REFERENCE_MISSING", "a patient without a lesion map cannot judge a segmenter")
    organs = any(method.needs_organs for method in methods)
    anatomy = engine.find(case.suv, case.ct_hu) if organs else Anatomy("none")
    true = case.lesions.array > 0
    found = {}
    for method in methods:
        drawn = method.segmenter.segment(case.suv, case.ct_hu, anatomy)
        for name, mask in zip(method.names, method.masks(drawn), strict=True):
            found[name] = agreement(mask, true, case.suv.voxel_volume_ml)
    return found


def _key(subject: Subject, method: Method) -> str:
    return hashlib.sha256(f"{subject.content}|{method.identity}".encode()).hexdigest()


def generator_a(patients: int) -> VirtualCohort:
    """The first patients of the project's set for networks' figures."""
    members = SETS[COHORT]
    seeds = members.seeds[: min(patients, members.patients)]
    return VirtualCohort("generator A", seeds, members.variety, TRAINING_GRID)


def options(name: str) -> argparse.ArgumentParser:
    """The command line of an evaluation."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description="Lesion segmenters beside each other on virtual patients; the same command again goes on.",
        epilog=f"Example: nice -n 19 python -m {name} --run runs/lamp --plain runs/plain --out figures",
    )
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--bundle", type=Path, help="bundle of LAMP's lesion network, with its reviewer")
    network.add_argument("--run", type=Path, help="training folder or hand-over of it, in place of a bundle")
    parser.add_argument("--plain", type=Path, help="training folder or hand-over of the plain U-Net")
    parser.add_argument("--anatomy", type=Path, help="bundle, training folder or hand-over of the anatomy network")
    parser.add_argument("--review", type=Path, help="the reviewer's text, in place of the bundle's")
    parser.add_argument("--patients", type=int, default=SETS[COHORT].patients, help="of each generator (default 80)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results; made if missing")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


def methods_of(given: argparse.Namespace) -> tuple[tuple[Method, ...], AnatomyEngine]:
    """The methods that a command line names, and the engine that finds organs for them.

    The hybrid takes part where an anatomy network and a reviewer (its own file, or in the bundle) are named.

    Raises:
        BundleRefused, TrainingFailed: one of them cannot be opened.
    """
    methods = [*threshold_methods(MIN_VOLUME_ML)]
    engine: AnatomyEngine = open_anatomy(given.anatomy) if given.anatomy else NoAnatomy()
    if given.plain:
        methods.append(plain_method(given.plain, MIN_VOLUME_ML))
    lamp = given.bundle or given.run
    if lamp:
        methods.append(lamp_method(lamp, MIN_VOLUME_ML))
    if lamp and given.anatomy and (given.bundle or given.review):
        methods.append(hybrid_method(lamp, given.review, anatomy_digest(given.anatomy), MIN_VOLUME_ML))
    return tuple(methods), engine


def report(judged: dict[str, Judged], methods: Sequence[Method], out: Path) -> Evaluation:
    """Writes ``segmentation.json`` and ``segmentation.md`` to a folder."""
    words = {name: method.segmenter.description for method in methods for name in method.names}
    evaluation = figures_of(judged, words)
    write_evaluation(out / "segmentation.json", evaluation)
    (out / "segmentation.md").write_text(tables_of(evaluation), encoding="utf-8")
    return evaluation


def main(arguments: list[str] | None = None) -> int:
    """Judges on generator A; see ``--help``."""
    given = options("lymphoma.segmentation.evaluate").parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    methods, engine = methods_of(given)
    cohort = generator_a(given.patients)
    judged = {cohort.name: judge(cohort, methods, engine, Kept(given.out / "patients" / "a"))}
    sys.stdout.write(tables_of(report(judged, methods, given.out)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
