"""``python -m lymphoma.segmentation.features``: virtual patients become pooled features, as a study of the node does.

Each patient of one of the project's sets is built, delineated on the same way as a study, and what LAMP reads of him or
her is kept in a folder (:mod:`lymphoma.prognosis.feature_folder`). The same command again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import structlog
import torch

from lymphoma.anatomy.shipped import network_key, open_anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.registration import apply, register_ct
from lymphoma.imaging.volume import Volume
from lymphoma.inference.device import Processor, choose
from lymphoma.lesions.measures import measure_lesions
from lymphoma.lesions.totals import measure_totals
from lymphoma.prognosis.feature_folder import FeatureFolder, FeaturePatient, FeatureSource
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.scan_range.fit import read_statistics
from lymphoma.segmentation.delineation import Delineation
from lymphoma.segmentation.open import open_lesion_network
from lymphoma.segmentation.reviewed import ReviewedSegmenter
from lymphoma.segmentation.reviewer import Reviewer
from lymphoma.segmentation.way import Tools, delineate
from lymphoma.simulation.cohort import case_of, features_of, subject_of
from lymphoma.simulation.feature_table import FeatureTable, stack_features
from lymphoma.simulation.outcomes import draw_outcomes, outcome_model
from lymphoma.simulation.patient import Protocol, VirtualPatient, build_patient
from lymphoma.simulation.plan import draw_patient
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.risk import true_eta
from lymphoma.simulation.sets import SETS, PatientSet
from lymphoma.training.case import Case, Outcome
from lymphoma.training.files import file_sha256

__all__ = ["Seen", "accepted_part", "main", "open_way", "write_features"]

MODE, SIGMA = "mixed", 1.0
"""Of the outcomes that are kept: the project's default cohort. The truth is kept too, from which any other follows."""

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class Seen:
    """How patients are looked at.

    Attributes:
        tools: of the way. source: what the features are said to be of.
    """

    tools: Tools
    source: FeatureSource


def write_features(
    members: PatientSet,
    seen: Seen,
    folder: Path,
    *,
    protocol: Protocol = TRAINING_GRID,
    progress: Callable[[int, int], None] | None = None,
) -> FeatureFolder:
    """Features of every patient of a set that the folder does not hold yet.

    A patient whose scan is out of range or has no organs is passed over with the code, as in a node; one without an
    accepted lesion is kept with none.

    Raises:
        NotComputable: ``BUNDLE_MISMATCH``: the folder holds features of another source.
    """
    kept = FeatureFolder.make(folder, seen.source)
    tell = progress or (lambda done, of: None)
    for done, seed in enumerate(members.seeds, start=1):
        plan = draw_patient(seed, variety=members.variety)
        subject = subject_of(plan, protocol=protocol)
        if subject.content not in kept and subject.content not in kept.passed_over:
            patient = build_patient(plan, protocol)
            try:
                kept.add(_features(patient, case_of(patient, subject), seen.tools))
            except NotComputable as fault:
                kept.pass_over(subject.content, fault.code)
        tell(done, members.patients)
    return kept


def accepted_part(drawn: Delineation) -> tuple[Volume, PooledFeatures]:
    """Lesions that count, numbered anew in the same order, and their features.

    Raises:
        NotComputable: ``NOT_INSTALLED``: no lesion network took part.
    """
    if drawn.pooled is None:
        raise NotComputable("NOT_INSTALLED", "no lesion network took part in the delineation")
    rows = np.array(drawn.accepted, dtype=np.int64) - 1
    return drawn.accepted_map, replace(drawn.pooled, lesions=drawn.pooled.lesions[rows], lesion_map="")


def _features(patient: VirtualPatient, case: Case, tools: Tools) -> FeaturePatient:
    """What is seen of a patient, and what is true; the CT is registered as the node does it."""
    registration = register_ct(case.suv, case.ct_hu)
    ct_hu = apply(case.ct_hu, case.suv, registration) if registration.applied else case.ct_hu
    done = delineate(case.suv, ct_hu, tools, patient.plan.scan.uptake_minutes, registration.verdict)
    if done.verdict is not None and done.verdict.range == "outside":
        raise NotComputable("OUT_OF_DISTRIBUTION", "the scan is unlike those that the networks learned from")
    lesions, pooled = accepted_part(done.delineation)
    truth = stack_features([features_of(patient, noise_free=True)])
    stored = BytesIO()
    truth.save(stored)
    return FeaturePatient(
        case.subject.content,
        case.subject.centre,
        case.subject.clinical,
        _measures(case.suv, lesions, patient),
        _outcomes(truth, patient.plan.seed),
        pooled,
        stored.getvalue(),
    )


def _measures(suv: Volume, lesions: Volume, patient: VirtualPatient) -> PetMeasures:
    person = patient.plan.person
    totals = measure_totals(measure_lesions(suv, lesions), weight_kg=person.weight_kg, height_m=person.height_m)
    return PetMeasures(**{one.name: getattr(totals, one.name) for one in fields(PetMeasures)})


def _outcomes(truth: FeatureTable, seed: int) -> dict[Endpoint, Outcome | None]:
    drawn = draw_outcomes(outcome_model(SIGMA), true_eta(truth, MODE, SIGMA), [seed])
    return dict(zip(ENDPOINTS, drawn.patient(0), strict=True))


def open_way(
    anatomy: Path, segmentation: Path, review: Path, cohort: str, processor: Processor, statistics: Path | None = None
) -> Seen:
    """Both networks, each from a bundle or the folder of a training, and the reviewer of candidates.

    Args:
        statistics: of the scans that the networks learned from; None leaves the range unchecked.

    Raises:
        BundleRefused, TrainingFailed: with the code of the fault.
    """
    engine = open_anatomy(anatomy, processor)
    looker = open_lesion_network(segmentation, processor)
    text = review.read_text(encoding="utf-8")
    drawn_by = ReviewedSegmenter(Reviewer.from_json(text), looker)
    scans = None if statistics is None else read_statistics(statistics)
    parts = (network_key(engine), hashlib.sha256(text.encode()).hexdigest())
    checked = "" if statistics is None else f", scans like {file_sha256(statistics)[:16]}"
    way = f"{drawn_by.name}, {drawn_by.min_volume_ml:g} mL; anatomy {parts[0][:16]}, reviewer {parts[1][:16]}{checked}"
    source = FeatureSource(cohort, True, looker.digest, looker.organ_names, way)
    return Seen(Tools(engine, drawn_by, statistics=scans), source)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    members = SETS[given.set]
    if given.patients is not None:
        members = replace(members, patients=min(given.patients, members.patients))
    seen = open_way(given.anatomy, given.segmentation, given.review, given.set, choose(), given.statistics)

    def tell(done: int, of: int) -> None:
        if done % 5 == 0 or done == of:
            log.info("patients_seen", set=given.set, done=done, of=of)

    kept = write_features(members, seen, given.out, progress=tell)
    log.info("features_written", patients=len(kept), passed_over=len(kept.passed_over))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.segmentation.features",
        description="Pooled features of virtual patients; the same command again goes on.",
        epilog="Example: python -m lymphoma.segmentation.features --set l2-train --out features/l2-train ...",
    )
    parser.add_argument("--set", required=True, choices=[n for n, one in SETS.items() if one.kind == "images"])
    parser.add_argument("--out", type=Path, required=True, help="folder of features; made if missing")
    parser.add_argument("--anatomy", type=Path, required=True, help="bundle, or folder of the training")
    parser.add_argument("--segmentation", type=Path, required=True, help="bundle, or folder of the training")
    parser.add_argument("--review", type=Path, required=True, help="JSON of the reviewer of candidates")
    parser.add_argument("--statistics", type=Path, help="JSON of the scans learned from; without it none is checked")
    parser.add_argument("--patients", type=int, help="the first so many of the set (default all)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
