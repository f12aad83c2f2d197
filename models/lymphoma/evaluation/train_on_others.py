"""``python -m lymphoma.evaluation.train_on_others SYSTEM``: a bundle whose networks learned on other patients.

The bundles that ship are made by it: networks learn on virtual patients with true lesions
(:mod:`lymphoma.evaluation.true_inputs`); how they do, and their survival, come from patients whom the node's own way
delineated (:mod:`lymphoma.segmentation.features`) and whom they never saw. The same command goes on with a run that was
killed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import structlog
import torch

from lymphoma.evaluation.input_cohort import input_cohort
from lymphoma.evaluation.learner import Asked, installed_learners
from lymphoma.evaluation.true_inputs import in_order, with_outcomes
from lymphoma.logs import log_to_stderr
from lymphoma.prognosis.input_folder import InputFolder
from lymphoma.segmentation.virtual_studies import MODE, SIGMA
from lymphoma.simulation import GENERATOR

__all__ = ["main"]

log = structlog.get_logger()


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; see ``--help``.

    Returns:
        Exit code: 0.
    """
    known = installed_learners()
    given = _parser(tuple(known)).parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    others = in_order(with_outcomes(input_cohort(InputFolder.open(given.learn)), MODE, sigma=SIGMA))
    cohort = input_cohort(InputFolder.open(given.judge))
    drawn = (
        f"The networks learned on {len(others)} virtual patients with true lesions; {len(cohort)} others, drawn as "
        f"by a node, judge them. Outcomes were drawn under the mode {MODE}, SD of the log hazard ratio {SIGMA:g}."
    )
    asked = Asked(given.system, GENERATOR, limits=(drawn,), config=given.config, kept=given.kept)

    def tell(done: int, of: int) -> None:
        log.info("trained", done=done, of=of)

    learned = known[given.system].learn(cohort, given.out, asked, tell, others=others)
    for fit in learned.fits:
        log.info("endpoint", endpoint=fit.model.endpoint, harrell=round(fit.concordance.estimate, 3))
    log.info("bundle_written", digest=learned.bundle.digest, trained=learned.trained, left_out=dict(learned.left_out))
    return 0


def _parser(systems: tuple[str, ...]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.evaluation.train_on_others",
        description="Trains a system's networks on some virtual patients, judges them on others, writes the bundle.",
        epilog="Example: python -m lymphoma.evaluation.train_on_others deepmts --learn inputs/body "
        "--judge features/l2-train-deepmts --kept runs/deepmts --out bundles/deepmts",
    )
    parser.add_argument("system", choices=systems)
    parser.add_argument("--learn", type=Path, required=True, help="inputs with true lesions, to learn from")
    parser.add_argument("--judge", type=Path, required=True, help="inputs of the node's own way, to be judged on")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; must not be there")
    parser.add_argument("--kept", type=Path, help="folder of the runs, so that a killed one goes on")
    parser.add_argument("--config", type=Path, help="a train.yaml in place of the shipped one")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
