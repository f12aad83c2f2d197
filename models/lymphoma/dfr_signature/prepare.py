"""``python -m lymphoma.dfr_signature.prepare``: crops of virtual patients with true lesions, to learn a signature from.

The folder is what ``python -m lymphoma.evaluation.train_on_others dfr_signature --learn`` asks for.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import structlog

from lymphoma.dfr_signature.config import SHIPPED, read_dfr_config
from lymphoma.dfr_signature.learner import DfrLearner
from lymphoma.evaluation.true_inputs import EDGE_MM, make_true_inputs
from lymphoma.logs import log_to_stderr
from lymphoma.simulation.scan import HOSPITAL
from lymphoma.simulation.sets import SETS

__all__ = ["main"]

FIRST_SEED = 6_100_000
"""No set of the project has these patients."""

log = structlog.get_logger()


def main(arguments: list[str] | None = None) -> int:
    """Makes the inputs that are not there yet; see ``--help``.

    Returns:
        Exit code: 0.
    """
    given = _parser().parse_args(arguments)
    log_to_stderr()
    reader = DfrLearner(settings=read_dfr_config(given.config or SHIPPED).inputs)
    name, seeds, variety = "virtual", range(given.first_seed, given.first_seed + given.patients), HOSPITAL
    if given.set is not None:
        members = SETS[given.set]
        name, seeds, variety = members.name, members.seeds, members.variety

    def tell(done: int, of: int) -> None:
        if done % 20 == 0:
            log.info("inputs_made", done=done, of=of)

    made = make_true_inputs(
        reader, given.inputs, seeds, cohort=name, variety=variety, edge_mm=given.edge_mm, progress=tell
    )
    log.info("patients_kept", patients=len(made), passed_over=len(made.passed_over))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.dfr_signature.prepare",
        description="Makes crops of virtual patients; the same command again goes on.",
        epilog="Example: python -m lymphoma.dfr_signature.prepare --inputs inputs/dfr --patients 400",
    )
    parser.add_argument("--inputs", type=Path, required=True, help="folder of the crops; made if missing")
    images = sorted(name for name, one in SETS.items() if one.kind == "images")
    parser.add_argument("--set", choices=images, help="a set of the project in place of seeds")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help=f"of the patients (default {FIRST_SEED})")
    parser.add_argument("--patients", type=int, default=300, help="how many (default 300)")
    parser.add_argument("--edge-mm", type=float, default=EDGE_MM, help=f"voxels (default {EDGE_MM:g} mm)")
    parser.add_argument("--config", type=Path, help="a train.yaml in place of the shipped one")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
