"""What makes a run repeatable, set for the time of the run and put back afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lymphoma.errors import TrainingFailed
from lymphoma.training.config import TrainConfig

__all__ = ["autocast_type", "choose_device", "repeatable", "seed_torch"]


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Deterministic algorithms and a private state of torch's generators within the block.

    On a CPU the same seed gives the same bits for the same number of threads. On a GPU some three-dimensional
    operations (max pooling, trilinear up-sampling backwards) exist in no deterministic form: torch warns, and two runs
    agree only closely.
    """
    before = torch.are_deterministic_algorithms_enabled()
    warn_before = torch.is_deterministic_algorithms_warn_only_enabled()
    on_gpu = device.type == "cuda"
    if on_gpu:
        # cuBLAS reads it when it is first used, so it is not put back
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if on_gpu else []):
        torch.use_deterministic_algorithms(True, warn_only=on_gpu)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_before)


def choose_device(config: TrainConfig) -> torch.device:
    """The device a run uses.

    Raises:
        TrainingFailed: ``DEVICE_UNFIT``: a GPU is asked for and there is none, or float16 on a CPU.
    """
    asked = config.run.device
    gpu = torch.cuda.is_available()
    if asked == "cuda" and not gpu:
        raise TrainingFailed("DEVICE_UNFIT", "a GPU is asked for and there is none")
    device = torch.device("cuda" if gpu and asked != "cpu" else "cpu")
    if device.type == "cpu" and config.precision == "float16":
        raise TrainingFailed("DEVICE_UNFIT", "float16 needs a GPU; bfloat16 and float32 run on a CPU")
    return device


def autocast_type(config: TrainConfig, device: torch.device) -> torch.dtype:
    """float32 means no mixed precision."""
    if config.precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[config.precision]
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def seed_torch(seed: int, device: torch.device) -> None:
    """Seeds torch's generators of the CPU and of ``device``.

    Not ``torch.manual_seed``: without a GPU it keeps a stack trace for each call, which costs a millisecond and memory
    without end in a loop.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
