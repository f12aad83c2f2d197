"""``python -m lymphoma.segmentation.fit_review``: learns the reviewer on patients that the networks never saw.

Organs are those that the anatomy network finds, probabilities those of the lesion network. What is found of a patient
is kept in the cache, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog
import torch

from lymphoma.anatomy.network import NetworkAnatomy
from lymphoma.anatomy.shipped import network_key, open_anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.inference.device import choose
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES
from lymphoma.segmentation.open import open_lesion_network
from lymphoma.segmentation.review_data import KnownCandidates, Looker, review_cohort
from lymphoma.segmentation.review_figures import ReviewFigures, review_figures
from lymphoma.segmentation.review_fit import fit_judge
from lymphoma.segmentation.reviewer import Judge, Reviewer
from lymphoma.segmentation.whole_body import LesionNetwork
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.sets import SETS
from lymphoma.training.cache import DiskCache
from lymphoma.training.case import Cohort
from lymphoma.training.files import write_whole

__all__ = ["Eyes", "figures_on", "learn", "main", "open_eyes"]

log = structlog.get_logger()

CACHE_BYTES = 2_000_000_000
"""Thousands of patients: candidates are numbers, not images."""
LEARNS_ON = ("network-validation", "review-train")
JUDGED_ON = "network-test"


@dataclass(frozen=True, eq=False)
class Eyes:
    """What the candidates are seen with.

    Attributes:
        anatomy_digest: of the weights of ``anatomy``.
    """

    anatomy: NetworkAnatomy
    anatomy_digest: str
    lesions: Looker
    cache: DiskCache

    def see(self, cohort: Cohort) -> tuple[KnownCandidates, ...]:
        """The candidates of all patients of a cohort with reference lesions."""

        def tell(done: int, of: int) -> None:
            if done % 10 == 0 or done == of:
                log.info("patients_seen", cohort=cohort.name, done=done, of=of)

        return review_cohort(cohort, self.anatomy, self.anatomy_digest, self.lesions, self.cache, tell)


@dataclass(frozen=True, eq=False)
class _Probability:
    """The lesion network where only its probability is wanted."""

    network: LesionNetwork

    @property
    def digest(self) -> str:
        return self.network.digest

    def probability(self, suv: Volume, ct_hu: Volume) -> npt.NDArray[np.float32]:
        return self.network.run(self.network.crop(suv, ct_hu)).probability


def open_eyes(anatomy: Path, segmentation: Path, cache: Path) -> Eyes:
    """Both networks, each from a bundle or from the folder of a training.

    Raises:
        BundleRefused, TrainingFailed: with the code of the fault.
    """
    processor = choose()
    engine = open_anatomy(anatomy, processor)
    lesions = open_lesion_network(segmentation, processor)
    return Eyes(engine, network_key(engine), _Probability(lesions), DiskCache(cache, CACHE_BYTES))


def learn(patients: Sequence[KnownCandidates], seed: int = 0) -> tuple[Reviewer, Mapping[str, ReviewFigures]]:
    """The reviewer, and figures of the patients it learned from, each judged by models that did not see him or her.

    Raises:
        NotComputable: TOO_FEW_EVENTS.
    """
    seen, by_seen = fit_judge(patients, (*PLAIN_FEATURES, *NETWORK_FEATURES), seed)
    unseen, by_unseen = fit_judge(patients, PLAIN_FEATURES, seed)
    figures = {
        "with_network": review_figures(patients, by_seen),
        "without_network": review_figures(patients, by_unseen),
    }
    return Reviewer(seen, unseen), figures


def figures_on(patients: Sequence[KnownCandidates], reviewer: Reviewer) -> Mapping[str, ReviewFigures]:
    """Figures of both models on patients that neither saw, such as those of :meth:`Eyes.see` on another generator."""

    def judged(judge: Judge) -> ReviewFigures:
        return review_figures(patients, [judge.probability(one.features(judge.features)) for one in patients])

    return {"with_network": judged(reviewer.seen), "without_network": judged(reviewer.unseen)}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    eyes = open_eyes(given.anatomy, given.segmentation, given.cache)
    patients = [one for name in LEARNS_ON for one in eyes.see(_cohort(name, given.patients))]
    reviewer, figures = learn(patients, given.seed)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(given.out, reviewer.to_json().encode())
    told = {"learned_on_out_of_fold": figures}
    if given.judged:
        told[JUDGED_ON] = figures_on(eyes.see(_cohort(JUDGED_ON, given.judged)), reviewer)
    content = {cohort: {model: asdict(one) for model, one in by.items()} for cohort, by in told.items()}
    write_whole(given.out.with_suffix(".figures.json"), (json.dumps(content, indent=1) + "\n").encode())
    log.info("reviewer_learned", patients=len(patients), parts=reviewer.seen.parts, out=given.out.name)
    return 0


def _cohort(name: str, most: int) -> VirtualCohort:
    members = SETS[name]
    return VirtualCohort(name, members.seeds[:most], members.variety, TRAINING_GRID)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.segmentation.fit_review",
        description="Learns the reviewer of candidates on virtual patients; the same command again goes on.",
        epilog="Example: python -m lymphoma.segmentation.fit_review --segmentation runs/lamp --anatomy runs/anatomy "
        "--cache cache-review --out review.json",
    )
    parser.add_argument("--segmentation", type=Path, required=True, help="bundle or training of the lesion network")
    parser.add_argument("--anatomy", type=Path, required=True, help="bundle or training of the anatomy network")
    parser.add_argument("--cache", type=Path, required=True, help="folder of seen patients; made if missing")
    parser.add_argument("--out", type=Path, required=True, help="the reviewer's JSON; figures go beside it")
    parser.add_argument("--patients", type=int, default=240, help="most of each set to learn from (default all)")
    parser.add_argument("--judged", type=int, default=80, help="patients of network-test (default all; 0 none)")
    parser.add_argument("--seed", type=int, default=0, help="of the trees and folds (default 0)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
