"""What a run came to, and the weights it leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file, save

from lymphoma.errors import TrainingFailed
from lymphoma.training.files import write_whole
from lymphoma.training.task import NullLoss

__all__ = [
    "TrainingResult",
    "is_trained",
    "kept_weights",
    "last_weights",
    "read_result",
    "save_weights",
    "write_result",
]

_FILE = "result.json"


@dataclass(frozen=True)
class TrainingResult:
    """The end of a run.

    Attributes:
        ended: "finished" after all steps, "early" when validation stopped improving, "leg" when it hands over.
        step: updates done. kept_step: those done when the kept weights were. metrics: of the kept weights.
        trained: the kept weights lie below the null loss, where the task has one; False always before the end.
        skipped: updates left out because loss or gradient was not finite. threads: of torch; another number of
            threads may give other last bits.
    """

    ended: Literal["finished", "early", "leg"]
    step: int
    kept_step: int
    metrics: Mapping[str, float]
    null_loss: float | None
    trained: bool
    skipped: int
    device: str
    precision: str
    threads: int
    torch_version: str
    config_digest: str


_READER = TypeAdapter(TrainingResult)


def is_trained(metrics: Mapping[str, float], null: NullLoss | None) -> bool:
    """Whether the metrics lie below what a model without any input reaches.

    Raises:
        TrainingFailed: ``METRIC_MISSING``: the metric of the null is not among them.
    """
    if null is None:
        return True
    if null.metric not in metrics:
        raise TrainingFailed("METRIC_MISSING", f"the task gives no metric {null.metric}, which its null loss names")
    return metrics[null.metric] < null.value


def write_result(folder: Path, result: TrainingResult) -> None:
    """Writes ``result.json``: the mark that the run, or its leg, is over."""
    write_whole(folder / _FILE, (json.dumps(asdict(result), indent=1) + "\n").encode())


def read_result(folder: Path, config_digest: str) -> TrainingResult | None:
    """The result of a run that is over; None while it is not, or is between two legs.

    Raises:
        TrainingFailed: ``TRAINING_CONFIG_CHANGED``: the folder holds a run of another configuration.
    """
    if not (folder / _FILE).exists():
        return None
    result = _READER.validate_json((folder / _FILE).read_bytes())
    if result.config_digest != config_digest:
        raise TrainingFailed(
            "TRAINING_CONFIG_CHANGED", "the folder holds a run of another configuration; choose another folder"
        )
    return None if result.ended == "leg" else result


def save_weights(folder: Path, kept: Mapping[str, torch.Tensor], last: Mapping[str, torch.Tensor]) -> None:
    """Writes ``kept.safetensors`` and ``last.safetensors`` in the network's own precision."""
    for name, tensors in (("kept", kept), ("last", last)):
        content = save({key: tensor.detach().cpu().clone().contiguous() for key, tensor in tensors.items()})
        write_whole(folder / f"{name}.safetensors", content)


def kept_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights that validation chose, or the last ones where it chooses none."""
    return dict(load_file(folder / "kept.safetensors"))


def last_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of the last update."""
    return dict(load_file(folder / "last.safetensors"))
