"""``python -m lymphoma.segmentation.features``: what systems read of virtual patients, as of studies of the node.

Each patient of one of the project's sets is built and delineated once, on the same way as a study. What LAMP reads of
him or her, and what each further system reads that is asked for, is kept in a folder of its own
(:mod:`lymphoma.prognosis.patient_folder`). The same command again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog
import torch

from lymphoma.anatomy.shipped import network_key, open_anatomy
from lymphoma.errors import NotComputable
from lymphoma.evaluation.learner import Learner, installed_learners
from lymphoma.inference.device import Processor, choose
from lymphoma.prognosis.feature_folder import FeatureFolder, FeaturePatient, FeatureSource
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.patient_folder import PatientFolder
from lymphoma.scan_range.fit import read_statistics
from lymphoma.segmentation.open import open_lesion_network
from lymphoma.segmentation.reviewed import ReviewedSegmenter
from lymphoma.segmentation.reviewer import Reviewer
from lymphoma.segmentation.virtual_studies import VirtualStudy, each_virtual_study
from lymphoma.segmentation.way import Tools
from lymphoma.simulation.patient import Protocol
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.sets import SETS, PatientSet
from lymphoma.training.files import file_sha256

__all__ = ["Kept", "Seen", "main", "open_way", "write_features"]

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class Seen:
    """How patients are looked at.

    Attributes:
        tools: of the way. source: what the features are said to be of.
    """

    tools: Tools
    source: FeatureSource


@dataclass(frozen=True, eq=False)
class Kept:
    """The folders that a set is written to.

    Attributes:
        features: LAMP's. inputs: of further systems, each with the learner whose inputs they are.
    """

    features: FeatureFolder
    inputs: Mapping[str, tuple[Learner, InputFolder]] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, source: FeatureSource, learners: Mapping[str, Learner]) -> Kept:
        """``folder`` for LAMP, and beside it ``<folder>-<system>`` for each further system.

        Raises:
            NotComputable: ``BUNDLE_MISMATCH``: a folder holds what was made in another way.
        """

        def inputs(name: str, learner: Learner) -> InputFolder:
            way = f"{learner.way}; {source.way}; lesion network {source.network[:16]}"
            told = InputSource(source.cohort, source.virtual, name, way)
            return InputFolder.make(folder.with_name(f"{folder.name}-{name}"), told)

        found = {name: (learner, inputs(name, learner)) for name, learner in learners.items()}
        return cls(FeatureFolder.make(folder, source), found)

    @property
    def folders(self) -> dict[str, PatientFolder[Any]]:
        """By system."""
        return {"lamp": self.features, **{name: folder for name, (_, folder) in self.inputs.items()}}

    def wants(self, content: str) -> bool:
        """Whether a folder holds neither the patient nor the reason why not."""
        return any(one.lacks(content) for one in self.folders.values())

    def pass_over(self, content: str, code: str) -> None:
        """In all folders."""
        for one in self.folders.values():
            if content not in one:
                one.pass_over(content, code)

    def keep(self, seen: VirtualStudy) -> None:
        """In all folders that lack the patient; a system that cannot read the study passes it over.

        Raises:
            NotComputable: ``NOT_INSTALLED``: no lesion network took part.
        """
        if seen.pooled is None:
            raise NotComputable("NOT_INSTALLED", "no lesion network took part in the delineation")
        content, study = seen.content, seen.study
        if content not in self.features:
            self.features.add(
                FeaturePatient(content, seen.centre, study.clinical, study.pet, seen.outcomes, seen.pooled, seen.truth)
            )
        for learner, folder in self.inputs.values():
            if not folder.lacks(content):
                continue
            try:
                folder.keep(seen.known(learner.inputs(study)))
            except NotComputable as fault:
                folder.pass_over(content, fault.code)


def write_features(
    members: PatientSet,
    seen: Seen,
    folder: Path,
    *,
    learners: Mapping[str, Learner] | None = None,
    protocol: Protocol = TRAINING_GRID,
    progress: Callable[[int, int], None] | None = None,
) -> Kept:
    """What is read of every patient of a set that the folders do not hold yet.

    A patient whose scan is out of range or has no organs is passed over with the code, as in a node; one without an
    accepted lesion is kept with none.

    Raises:
        NotComputable: ``BUNDLE_MISMATCH``: a folder holds what was made in another way.
    """
    kept = Kept.make(folder, seen.source, learners or {})
    each_virtual_study(members, seen.tools, kept.wants, kept.keep, kept.pass_over, protocol=protocol, progress=progress)
    return kept


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
    known = installed_learners()
    given = _parser(tuple(known)).parse_args(arguments)
    torch.set_num_threads(given.threads)
    members = SETS[given.set]
    if given.patients is not None:
        members = replace(members, patients=min(given.patients, members.patients))
    seen = open_way(given.anatomy, given.segmentation, given.review, given.set, choose(), given.statistics)

    def tell(done: int, of: int) -> None:
        if done % 5 == 0 or done == of:
            log.info("patients_seen", set=given.set, done=done, of=of)

    learners = {name: known[name] for name in given.systems}
    kept = write_features(members, seen, given.out, learners=learners, progress=tell)
    for name, folder in kept.folders.items():
        log.info("patients_kept", system=name, patients=len(folder), passed_over=len(folder.passed_over))
    return 0


def _parser(systems: tuple[str, ...]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.segmentation.features",
        description="What systems read of virtual patients; the same command again goes on.",
        epilog="Example: python -m lymphoma.segmentation.features --set l2-train --out features/l2-train ...",
    )
    parser.add_argument("--set", required=True, choices=[n for n, one in SETS.items() if one.kind == "images"])
    parser.add_argument("--out", type=Path, required=True, help="folder of features; made if missing")
    parser.add_argument("--systems", nargs="*", default=[], choices=systems, help="further systems; OUT-<system> each")
    parser.add_argument("--anatomy", type=Path, required=True, help="bundle, or folder of the training")
    parser.add_argument("--segmentation", type=Path, required=True, help="bundle, or folder of the training")
    parser.add_argument("--review", type=Path, required=True, help="JSON of the reviewer of candidates")
    parser.add_argument("--statistics", type=Path, help="JSON of the scans learned from; without it none is checked")
    parser.add_argument("--patients", type=int, help="the first so many of the set (default all)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
