"""``python -m lymphoma.deepmts.train``: trains one network on virtual patients, leg by leg.

The first folder of inputs teaches; a fifth of its patients stops the training. The same command in the same folders
goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import structlog
import torch

from lymphoma.deepmts.config import PUBLISHED, SHIPPED, Arm, DeepMtsConfig, read_deepmts_config
from lymphoma.deepmts.learner import DeepMtsLearner
from lymphoma.deepmts.networks import learning_task
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort
from lymphoma.evaluation.true_inputs import SIGMA, make_true_inputs, with_outcomes
from lymphoma.logs import log_to_stderr
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.simulation.risk import MODES
from lymphoma.simulation.scan import HOSPITAL
from lymphoma.simulation.sets import SETS
from lymphoma.training.command import told_by_log, until_told_to_stop
from lymphoma.training.trainer import Trainer

__all__ = ["main"]

log = structlog.get_logger()


def main(arguments: list[str] | None = None) -> int:
    """Runs one leg; see ``--help``. Returns the exit code."""
    given = _parser().parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    config = _config(given)
    cohort = _cohort(given, config)
    if given.prepare_only:
        return 0
    task = learning_task(with_outcomes(cohort, given.mode, sigma=given.sigma), given.endpoint, config)
    given.run.mkdir(parents=True, exist_ok=True)
    about = {"mode": given.mode, "sigma": given.sigma, "arm": config.arm, "endpoint": given.endpoint}
    (given.run / "about.json").write_text(json.dumps(about, sort_keys=True) + "\n", encoding="utf-8")
    with until_told_to_stop() as stop:
        trainer = Trainer(task, config.training, given.run, on_update=told_by_log, should_stop=stop.is_set)
        result = trainer.run()
    log.info("leg_over", ended=result.ended, step=result.step, metrics=dict(result.metrics))
    return 0


def _config(given: argparse.Namespace) -> DeepMtsConfig:
    config = read_deepmts_config(PUBLISHED if given.published else given.config or SHIPPED)
    run = replace(config.training.run, workers=given.workers, tensorboard=False)
    if given.leg_minutes is not None:
        run = replace(run, leg_minutes=given.leg_minutes)
    training = replace(config.training, run=run)
    return replace(config, arm=given.arm or config.arm, head=given.head or config.head, training=training)


def _cohort(given: argparse.Namespace, config: DeepMtsConfig) -> InputCohort:
    reader = DeepMtsLearner(field=config.field, radiomics=None)
    if given.set is not None:
        members = SETS[given.set]
        name, seeds, variety = members.name, members.seeds, members.variety
    else:
        name, seeds, variety = "virtual", range(given.first_seed, given.first_seed + given.patients), HOSPITAL
    return input_cohort(make_true_inputs(reader, given.inputs, seeds, cohort=name, variety=variety, progress=_prepared))


def _prepared(done: int, of: int) -> None:
    if done % 20 == 0:
        log.info("patients_prepared", done=done, of=of)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.deepmts.train",
        description="Trains a network on virtual patients; the same command again goes on.",
        epilog="Example: python -m lymphoma.deepmts.train --inputs inputs --run runs/one --mode mixed --arm multi_task",
    )
    parser.add_argument("--inputs", type=Path, required=True, help="folder of prepared patients; made if missing")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run; made if missing")
    images = sorted(name for name, one in SETS.items() if one.kind == "images")
    parser.add_argument("--set", choices=images, help="a set of the project in place of seeds")
    parser.add_argument("--first-seed", type=int, default=6_100_000, help="of the patients (default 6100000)")
    parser.add_argument("--patients", type=int, default=300, help="how many (default 300)")
    parser.add_argument("--mode", choices=MODES, default="mixed", help="mechanism of the risk (default mixed)")
    parser.add_argument("--sigma", type=float, default=SIGMA, help="SD of the log hazard ratio (default 1)")
    parser.add_argument("--endpoint", choices=ENDPOINTS, default="pfs")
    parser.add_argument("--arm", choices=get_args(Arm), help="in place of the configuration's")
    parser.add_argument("--head", choices=("cox", "discrete"), help="in place of the configuration's")
    parser.add_argument("--config", type=Path, help="a train.yaml in place of the shipped one")
    parser.add_argument("--published", action="store_true", help="the published size and schedule")
    parser.add_argument("--leg-minutes", type=float, help="ends this leg after so long")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches ahead (default 0)")
    parser.add_argument("--prepare-only", action="store_true", help="only prepares the patients")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
