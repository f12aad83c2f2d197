"""``python -m lymphoma.segmentation.train``: trains LAMP's lesion network on virtual patients, leg by leg."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lymphoma.segmentation.network import LampShape
from lymphoma.segmentation.task import LampTask
from lymphoma.training.command import NetworkPatients, network_patients, run_command
from lymphoma.training.config import TrainConfig

__all__ = ["JUDGED", "lamp_task", "main"]

JUDGED = 8
"""Validation patients whose whole bodies are judged each time; all 40 would take half as long as the training."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one leg; see ``--help``."""
    shape = LampShape()
    return run_command(
        "lymphoma.segmentation.train",
        Path(__file__).with_name("train.yaml"),
        partial(network_patients, shape.edge_mm),
        partial(lamp_task, shape),
        arguments,
    )


def lamp_task(shape: LampShape, patients: NetworkPatients, config: TrainConfig) -> LampTask:
    """The task on the project's own patients."""
    return LampTask(
        patients.training,
        patients.validation[:JUDGED],
        patients.read,
        batch_size=config.batch_size,
        shape=shape,
    )


if __name__ == "__main__":
    raise SystemExit(main())
