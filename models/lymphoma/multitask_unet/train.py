"""``python -m lymphoma.multitask_unet.train``: trains one model on virtual patients and says how it does on others.

A run that was killed goes on with the same command. The validation patients choose the weights where the configuration
has a ``stop_share``; figures of them are then a little too good.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import structlog
import torch

from lymphoma.evaluation.input_cohort import input_cohort
from lymphoma.evaluation.true_inputs import EDGE_MM, in_order, make_true_inputs, with_outcomes
from lymphoma.logs import log_to_stderr
from lymphoma.multitask_unet.comparators import COMPARATORS
from lymphoma.multitask_unet.config import SHIPPED, MultitaskConfig, read_multitask_config, train_config
from lymphoma.multitask_unet.examples import Examples, examples_of
from lymphoma.multitask_unet.learner import MultitaskUnetLearner
from lymphoma.multitask_unet.shape import MODELS
from lymphoma.multitask_unet.task import MultitaskTask
from lymphoma.prognosis.input_folder import InputFolder
from lymphoma.simulation.risk import MODES
from lymphoma.training.config import RunConfig
from lymphoma.training.files import write_whole
from lymphoma.training.progress import UpdateDone
from lymphoma.training.trainer import Trainer

__all__ = ["main", "task_of"]

FIRST_SEED = 5_000_000
"""No set of the project has these patients."""

log = structlog.get_logger()


def main(arguments: list[str] | None = None) -> int:
    """Makes the inputs that are not there yet, then trains; see ``--help``.

    Returns:
        Exit code: 0.
    """
    given = _parser().parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    config = read_multitask_config(given.config or SHIPPED)
    config = replace(config, model=given.model, seed=given.seed, samples=given.samples or config.samples)
    seeds = range(given.first_seed, given.first_seed + given.patients + given.validation)
    reader, tell = MultitaskUnetLearner(size=config.size), _every(20, "inputs_made")
    folder = make_true_inputs(reader, given.inputs, seeds, edge_mm=given.edge_mm, progress=tell)
    if given.prepare_only:
        return 0
    task = task_of(folder, config, given.mode, given.validation)
    run = RunConfig(workers=given.workers, tensorboard=False, checkpoint_every_s=120.0, leg_minutes=given.leg_minutes)
    settings = train_config(config, len(task.training), run)
    result = Trainer(task, settings, given.run, on_update=_told).run()
    about = {
        "mode": given.mode,
        "model": given.model,
        "training": _counts(task.training),
        "validation": _counts(task.validation),
        "ended": result.ended,
        "step": result.step,
        "kept_step": result.kept_step,
        "metrics": dict(result.metrics),
        "constant_nll": result.null_loss,
        "trained": result.trained,
        "config": asdict(config),
    }
    write_whole(given.run / "figures.json", (json.dumps(about, indent=1) + "\n").encode())
    log.info("run_over", **{name: about[name] for name in ("mode", "model", "ended", "step", "metrics", "trained")})
    return 0


def task_of(folder: InputFolder, config: MultitaskConfig, mode: str, validation: int) -> MultitaskTask:
    """The task on the patients of a folder under a mechanism; those with the highest seeds validate.

    Raises:
        NotComputable: ``ONE_CLASS``; ``FEATURES_UNREADABLE``.
    """
    cohort = in_order(with_outcomes(input_cohort(folder), mode))
    first = len(cohort) - validation
    parts = []
    for at in (np.arange(first), np.arange(first, len(cohort))):
        parts.append(examples_of(cohort, at, cohort.patients.follow_up("pfs", at), config.weighting))
    return MultitaskTask(config, parts[0], parts[1])


def _counts(examples: Examples) -> dict[str, int]:
    return {
        "patients": len(examples),
        "events_24m": int(examples.event.sum()),
        "excluded": examples.excluded,
    }


def _every(count: int, event: str) -> Callable[[int, int], None]:
    def tell(done: int, of: int) -> None:
        if done % count == 0 or done == of:
            log.info(event, done=done, of=of)

    return tell


def _told(done: UpdateDone) -> None:
    if done.step % 20 == 0 or done.step <= 3:
        values = {name: round(value, 4) for name, value in {**done.values, **done.best}.items()}
        log.info("step", step=done.step, of=done.steps, **values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.multitask_unet.train",
        description="Trains a model on virtual patients with true lesions; the same command again goes on.",
        epilog="Example: nice -n 19 python -m lymphoma.multitask_unet.train --inputs inputs --run runs/burden-ours "
        "--mode burden --model ours --leg-minutes 100",
    )
    parser.add_argument("--inputs", type=Path, required=True, help="folder of prepared patients; made if missing")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run; made if missing")
    parser.add_argument("--mode", choices=MODES, default="mixed", help="mechanism of the risk (default mixed)")
    parser.add_argument("--model", choices=(*MODELS, *COMPARATORS), default="ours", help="(default ours)")
    parser.add_argument("--patients", type=int, default=300, help="to learn from (default 300)")
    parser.add_argument("--validation", type=int, default=60, help="to be judged on (default 60)")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help=f"(default {FIRST_SEED})")
    parser.add_argument("--edge-mm", type=float, default=EDGE_MM, help=f"voxels of the scans (default {EDGE_MM:g})")
    parser.add_argument("--config", type=Path, help="a train.yaml in place of the shipped one")
    parser.add_argument("--samples", type=int, help="seen in all, in place of the configuration's")
    parser.add_argument("--seed", type=int, default=0, help="of the run (default 0)")
    parser.add_argument("--leg-minutes", type=float, help="ends this leg after so long")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches ahead (default 0)")
    parser.add_argument("--prepare-only", action="store_true", help="only makes the inputs")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
