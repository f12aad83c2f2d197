"""``python -m lymphoma.anatomy.train``: trains the anatomy network on virtual patients, leg by leg."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.network import AnatomyShape
from lymphoma.anatomy.task import AnatomyTask
from lymphoma.training.command import NetworkPatients, network_patients, run_command
from lymphoma.training.config import TrainConfig

__all__ = ["main"]

JUDGED = 12
"""Validation patients whose whole bodies are judged each time; all 40 would take half as long as the training."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one leg; see ``--help``."""
    shape = AnatomyShape()
    return run_command(
        "lymphoma.anatomy.train",
        Path(__file__).with_name("train.yaml"),
        partial(network_patients, shape.edge_mm),
        partial(_task, shape),
        arguments,
    )


def _task(shape: AnatomyShape, patients: NetworkPatients, config: TrainConfig) -> AnatomyTask:
    return AnatomyTask(
        patients.training,
        patients.validation[:JUDGED],
        patients.read,
        shipped_classes(),
        batch_size=config.batch_size,
        shape=shape,
    )


if __name__ == "__main__":
    raise SystemExit(main())
