"""The weights of a training folder, in whatever state it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save

from lymphoma.errors import TrainingFailed
from lymphoma.training.checkpoint import load_newest
from lymphoma.training.config import config_digest, read_config
from lymphoma.training.legs import read_handover
from lymphoma.training.result import kept_weights
from lymphoma.training.weights import Tensors

__all__ = ["TrainedWeights", "trained_weights"]


@dataclass(frozen=True, eq=False)
class TrainedWeights:
    """Weights that validation chose, or the present ones before any validation.

    Attributes:
        state: "finished"; "hand-over" or "checkpoint" of a run that goes on.
    """

    tensors: Tensors
    state: str

    @property
    def digest(self) -> str:
        """Hex SHA-256 of names, shapes and values."""
        tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in sorted(self.tensors.items())}
        return hashlib.sha256(save(tensors)).hexdigest()


def trained_weights(folder: Path) -> TrainedWeights:
    """Reads a run (finished, or from its newest checkpoint), or a hand-over.

    Raises:
        TrainingFailed: ``HANDOVER_UNUSABLE``: neither, or no weights yet.
    """
    if (folder / "kept.safetensors").is_file():
        return TrainedWeights(kept_weights(folder), "finished")
    if not (folder / "train.yaml").is_file():
        raise TrainingFailed("HANDOVER_UNUSABLE", f"{folder.name} is not the folder of a training")
    config = read_config(folder / "train.yaml")
    if (folder / "handover.json").is_file():
        given = read_handover(folder, config)
        return TrainedWeights(given.best or given.network, "hand-over")
    checkpoint = load_newest(folder / "checkpoints", config_digest(config))
    if checkpoint is None:
        raise TrainingFailed("HANDOVER_UNUSABLE", f"the training in {folder.name} has no weights yet")
    return TrainedWeights(checkpoint.best or checkpoint.network, "checkpoint")
