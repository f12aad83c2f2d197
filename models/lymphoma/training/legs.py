"""The hand-over between two legs of a long run: small enough to be committed, so it carries no optimiser.

A hand-over is a folder: ``handover.json`` (step, seed, counters, digests), ``train.yaml`` and float16 weights. The next
leg starts its optimiser afresh with a short warm-up, which a model card has to say.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError

from lymphoma.errors import BundleRefused, ConfigInvalid, TrainingFailed
from lymphoma.training.config import TrainConfig, config_digest, read_config, write_config
from lymphoma.training.files import write_whole
from lymphoma.training.state import RunState
from lymphoma.training.weights import SHIPPED_BYTES, Tensors, WeightFile, halved, read_weights, write_weights

__all__ = ["Handover", "read_handover", "write_handover"]

_LAYOUT = 1


@dataclass(frozen=True, eq=False)
class Handover:
    """What a leg begins with: present weights, the best so far (None before any), and the counters."""

    state: RunState
    network: Tensors
    best: Tensors | None


@dataclass(frozen=True)
class _Page:
    layout: int
    seed: int
    config_digest: str
    state: RunState
    files: tuple[WeightFile, ...]


_READER = TypeAdapter(_Page)


def write_handover(
    folder: Path, config: TrainConfig, state: RunState, network: Tensors, best: Mapping[str, torch.Tensor] | None
) -> None:
    """Writes the folder anew; ``handover.json`` comes last, so a folder without it is not finished."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    files = write_weights(folder, "weights", "present", halved(network), SHIPPED_BYTES)
    if best is not None:
        files += write_weights(folder, "weights", "best", halved(best), SHIPPED_BYTES)
    write_config(config, folder / "train.yaml")
    page = _Page(_LAYOUT, config.seed, config_digest(config), state, files)
    write_whole(folder / "handover.json", (json.dumps(asdict(page), indent=1) + "\n").encode())


def read_handover(folder: Path, config: TrainConfig) -> Handover:
    """Reads and verifies a hand-over.

    The next leg may plan another number of steps: a run that goes on longer, or is brought to its end sooner, with the
    learning rate of the new plan. Everything else of the configuration is the same.

    Raises:
        TrainingFailed: ``HANDOVER_UNUSABLE``: incomplete, damaged or newer. ``TRAINING_CONFIG_CHANGED``.
    """
    try:
        page = _READER.validate_json((folder / "handover.json").read_bytes())
        weights = {
            name: read_weights(folder, [file for file in page.files if file.network == name])
            for name in ("present", "best")
        }
    except (OSError, ValidationError, BundleRefused) as error:
        raise TrainingFailed("HANDOVER_UNUSABLE", f"the hand-over in {folder.name} is not whole") from error
    if page.layout != _LAYOUT or not weights["present"]:
        raise TrainingFailed("HANDOVER_UNUSABLE", f"the hand-over in {folder.name} has another layout")
    if page.config_digest not in (config_digest(config), _with_steps_of(folder, config)):
        raise TrainingFailed("TRAINING_CONFIG_CHANGED", "the hand-over is of a run of another configuration")
    return Handover(page.state, weights["present"], weights["best"] or None)


def _with_steps_of(folder: Path, config: TrainConfig) -> str:
    """Digest of the configuration with the steps that the hand-over's leg had planned."""
    try:
        planned = read_config(folder / "train.yaml").steps
    except (OSError, ConfigInvalid):
        return ""
    return config_digest(replace(config, steps=planned))
