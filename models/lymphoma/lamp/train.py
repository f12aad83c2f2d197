"""``python -m lymphoma.lamp.train``: the bundle of LAMP's heads from a folder of pooled features of virtual patients.

The bundle that ships is made by it. A hospital's cohort is trained on by ``nodal train lamp``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import structlog
import torch

from lymphoma.lamp.arms import ARMS
from lymphoma.lamp.config import SHIPPED, read_heads_config
from lymphoma.lamp.export import export_lamp
from lymphoma.lamp.fit import fit_lamp
from lymphoma.lamp.patients import cohort_of_folder
from lymphoma.logs import log_to_stderr
from lymphoma.prognosis.feature_folder import FeatureFolder
from lymphoma.segmentation.virtual_studies import MODE, SIGMA
from lymphoma.simulation import GENERATOR

__all__ = ["main"]

log = structlog.get_logger()


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; see ``--help``.

    Returns:
        Exit code: 0.
    """
    given = _parser().parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    config = read_heads_config(given.config or SHIPPED)
    config = replace(config, arm=given.arm or config.arm)
    cohort = cohort_of_folder(FeatureFolder.open(given.features))

    def tell(done: int, of: int) -> None:
        log.info("heads_trained", done=done, of=of)

    fit = fit_lamp(cohort, config, folder=given.kept, progress=tell)
    drawn = f"Outcomes were drawn under the mode {MODE}, with an SD of the log hazard ratio of {SIGMA:g}."
    bundle = export_lamp(given.out, fit, cohort, name="lamp", generator=GENERATOR, limits=(drawn,))
    for one in fit.endpoints:
        c, heads = one.fit.concordance, one.heads
        figures = {"nll": round(heads.nll, 4), "constant_nll": round(heads.null_nll, 4)}
        log.info("endpoint", endpoint=heads.endpoint, harrell=round(c.estimate, 3), trained=one.trained, **figures)
    log.info("bundle_written", digest=bundle.digest, trained=fit.trained, left_out=dict(fit.left_out))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.lamp.train",
        description="Trains LAMP's heads on pooled features of virtual patients and writes the bundle.",
        epilog="Example: python -m lymphoma.lamp.train --features features/l2-train --out bundles/lamp",
    )
    parser.add_argument("--features", type=Path, required=True, help="folder of lymphoma.segmentation.features")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; must not be there")
    parser.add_argument("--config", type=Path, help="a train.yaml in place of the shipped one")
    parser.add_argument("--arm", choices=ARMS, help="in place of the configuration's")
    parser.add_argument("--kept", type=Path, help="folder of finished heads, so that a killed run goes on")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
