"""A bundle of a lesion network that never learned anything and a reviewer that knows four organs: quick, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from lymphoma.scan_range.features import NAMES
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES
from lymphoma.segmentation.export import export_lesion_network
from lymphoma.segmentation.network import LampNetwork, LampShape
from lymphoma.segmentation.reviewer import Judge, Reviewer, Tree
from lymphoma.training.bundle import Bundle
from lymphoma.training.config import TrainConfig, config_digest, write_config
from lymphoma.training.result import TrainingResult, save_weights, write_result
from lymphoma.training.statistics import RangeStatistics

__all__ = ["SHAPE", "any_scan", "lesion_bundle"]

SHAPE = LampShape(widths=(4, 8, 16), supervised=1, edge_mm=12.0, window=(32, 32, 32))


def any_scan(*, liver_suv_log: float | None = None) -> RangeStatistics:
    """Statistics that every scan fits, or none with another uptake of the liver than the one given."""
    wide = len(NAMES)
    low, high = [-1e6] * wide, [1e6] * wide
    if liver_suv_log is not None:
        at = NAMES.index("liver_suv_log")
        low[at], high[at] = liver_suv_log - 1e-3, liver_suv_log + 1e-3
    identity = tuple(tuple(float(row == column) for column in range(wide)) for row in range(wide))
    scale = tuple(1e6 if least < -1 else 1e-3 for least in low)
    return RangeStatistics(NAMES, 100, (0.0,) * wide, scale, identity, 1e9, tuple(low), tuple(high))


def lesion_bundle(folder: Path, statistics: RangeStatistics | None = None, seed: int = 0) -> Bundle:
    """Writes ``folder``: brain, heart, kidney and urine are rejected, 20 mL accepted, less left to a person."""
    run = folder.with_name(f"{folder.name}-run")
    run.mkdir(parents=True)
    torch.manual_seed(seed)
    network, config = LampNetwork(SHAPE), TrainConfig(steps=1)
    write_config(config, run / "train.yaml")
    save_weights(run, network.state_dict(), network.state_dict())
    result = TrainingResult("finished", 1, 1, {}, None, True, 0, "cpu", "float32", 1, "2", config_digest(config))
    write_result(run, result)
    return export_lesion_network(folder, run, statistics or any_scan(), _reviewer().to_json(), shape=SHAPE)


def _reviewer() -> Reviewer:
    return Reviewer(seen=_judge((*PLAIN_FEATURES, *NETWORK_FEATURES)), unseen=_judge(PLAIN_FEATURES))


def _judge(names: tuple[str, ...]) -> Judge:
    organs = [_stump(names.index(f"in_{organ}"), 0.5, 0.0, -9.0) for organ in ("brain", "heart", "kidney", "urine")]
    trees = (*organs, _stump(names.index("log_volume"), float(np.log(20.0)), 0.0, 3.0))
    wide = len(names)
    return Judge(names, 0.0, trees, 1.0, 0.0, (-99.0,) * wide, (99.0,) * wide, (1.0,) * wide, 1, 1)


def _stump(feature: int, threshold: float, below: float, above: float) -> Tree:
    return Tree((feature, -1, -1), (threshold, 0, 0), (1, -1, -1), (2, -1, -1), (0.0, below, above))
