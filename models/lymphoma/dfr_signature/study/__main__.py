"""``python -m lymphoma.dfr_signature.study``: makes and fits what is not there yet, then writes the tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
import torch

from lymphoma.dfr_signature.backbones import Backbone
from lymphoma.dfr_signature.config import SHIPPED, DfrConfig, SignatureConfig, WeightsConfig, read_dfr_config
from lymphoma.dfr_signature.features import DeepFeatures, kept_features
from lymphoma.dfr_signature.open_weights import backbone_of
from lymphoma.dfr_signature.radiomics_signature import variant_features
from lymphoma.dfr_signature.study.cells import Arm, Centres, planned, run_cell
from lymphoma.dfr_signature.study.centres import CENTRES
from lymphoma.dfr_signature.study.outcomes import MODES, with_slab_outcomes
from lymphoma.dfr_signature.study.page import StudyWords, markdown
from lymphoma.dfr_signature.study.result import judge, read_groups, save_group
from lymphoma.dfr_signature.study.slabs import made_slabs, make_slabs
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.logs import log_to_stderr
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.training.files import write_whole

__all__ = ["QUICK", "Plan", "main", "run_study"]

PATIENTS = 2000
QUICK_PATIENTS = 72
QUICK = SignatureConfig(stack_levels=0, folds=2, learners={"LR": {}})
"""In place of the stack of learners in a quick look: one linear model."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        patients: of both centres together. ends_s: of :func:`time.monotonic`; nothing further is begun after it.
    """

    config: DfrConfig
    patients: int = PATIENTS
    modes: tuple[str, ...] = MODES
    endpoints: tuple[Endpoint, ...] = ENDPOINTS
    ends_s: float | None = None

    @property
    def over(self) -> bool:
        """Whether the time is."""
        return self.ends_s is not None and time.monotonic() >= self.ends_s


def main(arguments: list[str] | None = None) -> int:
    """Runs the study; see ``--help``.

    Returns:
        Exit code: 0, also where the time is over before the study is.
    """
    given = _parser().parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    config = read_dfr_config(given.config or SHIPPED)
    plan = Plan(config, given.patients, tuple(given.modes))
    if given.quick:
        quick = replace(config, backbone="densenet121", weights=WeightsConfig("random"), signature=QUICK, folds=2)
        plan = Plan(replace(quick, resamples=100), QUICK_PATIENTS, ("texture",), ("pfs",))
    if given.minutes is not None:
        plan = replace(plan, ends_s=time.monotonic() + 60 * given.minutes)
    networks = {"fused": backbone_of(plan.config)}
    if plan.config.weights.source != "random":
        networks["random"] = backbone_of(replace(plan.config, weights=WeightsConfig("random")))
    done = run_study(given.out, plan, networks)
    learners = ", ".join(plan.config.signature.learners)
    words = StudyWords(plan.patients, networks["fused"].words, learners)
    page: Path = given.page or given.out / "dfr-study.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    write_whole(page, markdown(read_groups(given.out / "results"), words).encode())
    log.info("study_written", whole=done)
    return 0


def run_study(out: Path, plan: Plan, networks: Mapping[str, Backbone]) -> bool:
    """Makes slabs, features, signatures and tables; what is there is not made again.

    Args:
        networks: "fused", of the signature; "random", where it is held against one.

    Returns:
        Whether all is there, before the time was over.

    Raises:
        NotComputable: ``NOT_INSTALLED``; ``NO_USABLE_PATIENT``.
    """
    slabs = {one.name: out / "slabs" / one.name for one in CENTRES}
    for centre in CENTRES:
        each = plan.patients // len(CENTRES)
        if not make_slabs(slabs[centre.name], centre, each, plan.config.inputs, ends_s=plan.ends_s, progress=_told):
            return False
    cohorts = tuple(made_slabs(slabs[one.name]) for one in CENTRES)
    taught, asked = (_features(cohort, networks, plan.config, out / "features") for cohort in cohorts)
    for mode in plan.modes:
        learn, other = with_slab_outcomes(cohorts, mode)
        centres = Centres(learn.patients, other.patients, taught, asked)
        for endpoint in plan.endpoints:
            chances = {}
            for cell in planned((mode,), tuple(taught), (endpoint,)):
                if plan.over:
                    return False
                chances[cell.arm] = run_cell(cell, centres, plan.config, out / "cells")
                log.info("cell_done", cell=cell.name, problem=chances[cell.arm].problem)
            group = judge(mode, endpoint, centres, chances, plan.config)
            save_group(out / "results" / f"{mode}-{endpoint}.json", group)
    return True


def _features(
    cohort: InputCohort, networks: Mapping[str, Backbone], config: DfrConfig, folder: Path
) -> dict[Arm, DeepFeatures]:
    variants = variant_features(cohort, networks["fused"], config, folder, _told)
    found: dict[Arm, DeepFeatures] = {}
    for variant, own in variants.items():
        found[variant] = own
    if "random" in networks:
        found["random"] = kept_features(cohort, networks["random"], replace(config, image="fused"), folder, _told)
    return found


def _told(done: int, of: int) -> None:
    if done % 50 == 0:
        log.info("patients", done=done, of=of)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.dfr_signature.study",
        description="The paper's tables on virtual patients of two centres; the same command again goes on.",
        epilog="Example: python -m lymphoma.dfr_signature.study --out study --patients 2000 --page docs/dfr-study.md",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of slabs, signatures, results; made if missing")
    parser.add_argument("--patients", type=int, default=PATIENTS, help=f"of both centres (default {PATIENTS})")
    parser.add_argument("--page", type=Path, help="file of the page (default dfr-study.md in --out)")
    parser.add_argument("--config", type=Path, help="a train.yaml in place of the shipped one, with its weights")
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES, help="mechanisms (default all)")
    parser.add_argument("--minutes", type=float, help="begins nothing further after so long")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    parser.add_argument("--quick", action="store_true", help="few patients, a small network and one linear model")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
