"""Checkpoints: the whole state of a run in one file that is there whole or not at all."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog
import torch

from lymphoma.errors import TrainingFailed
from lymphoma.training.files import file_sha256, put_in_place
from lymphoma.training.state import RunState

__all__ = ["Checkpoint", "load_newest", "save_checkpoint"]

KEPT = 2
_LAYOUT = 1
_NAME = re.compile(r"step-(?P<step>\d{9})-(?P<sha256>[0-9a-f]{64})\.pt")

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All that a run needs to go on as if it had never stopped.

    Attributes:
        config_digest: of :func:`lymphoma.training.config.config_digest`.
        network, best: state dictionaries; ``best`` is None where no validation has chosen weights to keep.
        optimiser, scaler: their state dictionaries. The schedule and all randomness are functions of the step.
    """

    config_digest: str
    state: RunState
    network: Mapping[str, torch.Tensor]
    optimiser: Mapping[str, Any]
    scaler: Mapping[str, Any]
    best: Mapping[str, torch.Tensor] | None


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes ``step-<step>-<SHA-256 of the file>.pt`` and keeps the last two of the folder."""
    folder.mkdir(exist_ok=True)
    content = {
        "layout": _LAYOUT,
        "config_digest": checkpoint.config_digest,
        "state": asdict(checkpoint.state),
        "network": dict(checkpoint.network),
        "optimiser": dict(checkpoint.optimiser),
        "scaler": dict(checkpoint.scaler),
        "best": None if checkpoint.best is None else dict(checkpoint.best),
    }
    part = folder / ".checkpoint.part"
    torch.save(content, part)
    file = folder / f"step-{checkpoint.state.step:09d}-{file_sha256(part)}.pt"
    put_in_place(part, file)
    for old in _named(folder)[:-KEPT]:
        old.unlink()
    return file


def load_newest(folder: Path, config_digest: str) -> Checkpoint | None:
    """The newest checkpoint whose bytes agree with its name; a damaged one is logged and removed.

    Nothing in a file is executed (``weights_only``). None where there is no usable one.

    Raises:
        TrainingFailed: ``TRAINING_CONFIG_CHANGED``: it belongs to another configuration.
    """
    for file in reversed(_named(folder)):
        checkpoint = _read(file)
        if checkpoint is None:
            log.warning("checkpoint_damaged", file=file.name)
            file.unlink()
            continue
        if checkpoint.config_digest != config_digest:
            raise TrainingFailed(
                "TRAINING_CONFIG_CHANGED", "the folder holds a run of another configuration; choose another folder"
            )
        return checkpoint
    return None


def _named(folder: Path) -> list[Path]:
    """Oldest first."""
    return sorted(file for file in folder.glob("step-*.pt") if _NAME.fullmatch(file.name))


def _read(file: Path) -> Checkpoint | None:
    name = _NAME.fullmatch(file.name)
    if name is None or file_sha256(file) != name["sha256"]:
        return None
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError):
        return None
    if content["layout"] != _LAYOUT:
        return None
    return Checkpoint(
        config_digest=content["config_digest"],
        state=RunState(**content["state"]),
        network=content["network"],
        optimiser=content["optimiser"],
        scaler=content["scaler"],
        best=content["best"],
    )
