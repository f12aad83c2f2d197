"""Which samples form a batch, and their production ahead of the training."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from typing import Generic

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from lymphoma.training.config import TrainConfig
from lymphoma.training.determinism import seed_torch
from lymphoma.training.task import B, Draw, Task

__all__ = ["balanced_batch", "draws_of", "passing_batch", "stream_batches"]

Indices = npt.NDArray[np.int64]
_PASS_STREAM = 1_000_033


def passing_batch(draw: Draw, count: int, batch_size: int) -> Indices:
    """Indices of a batch that passes through all samples in a new order each time, without any kept state.

    Batches are cut from one long row of permutations of ``count`` samples, so every sample comes equally often.
    """
    positions = draw.number * batch_size + np.arange(batch_size)
    orders = {
        turn: np.random.default_rng([draw.seed, _PASS_STREAM, turn]).permutation(count)
        for turn in np.unique(positions // count).tolist()
    }
    return np.array([orders[at // count][at % count] for at in positions.tolist()], dtype=np.int64)


def balanced_batch(draw: Draw, events: npt.NDArray[np.bool_], batch_size: int) -> Indices:
    """Half events, half censored, drawn with replacement (DeepMTS: 4 and 4); the odd one is censored.

    Args:
        events: shape (n,).

    Raises:
        ValueError: one of the two kinds is absent.
    """
    with_event, without = np.flatnonzero(events), np.flatnonzero(~events)
    if not len(with_event) or not len(without):
        raise ValueError("a balanced batch needs patients with and without an event")
    rng = draw.rng(stream=_PASS_STREAM)
    half = batch_size // 2
    return np.concatenate([rng.choice(with_event, half), rng.choice(without, batch_size - half)]).astype(np.int64)


def draws_of(config: TrainConfig, step: int) -> Sequence[Draw]:
    """The batches of one update."""
    parts = config.accumulation
    return [Draw(config.seed, step, part, step * parts + part) for part in range(parts)]


class _Draws(Dataset[B], Generic[B]):
    """Batch ``i`` of a run as the ``i``-th item of a data set, which is what torch's loader wants."""

    def __init__(self, task: Task[B], config: TrainConfig) -> None:
        self._task = task
        self._config = config

    def __getitem__(self, number: int) -> B:
        step, part = divmod(number, self._config.accumulation)
        draw = Draw(self._config.seed, step, part, number)
        seed_torch(draw.torch_seed, torch.device("cpu"))
        return self._task.batch(draw)


def stream_batches(task: Task[B], config: TrainConfig, from_step: int) -> Iterator[B]:
    """All batches from the first of ``from_step`` to the last of the run, in order.

    With workers they are made ahead in other processes; at most workers x prefetch wait at a time, whatever the size
    of the cohort. The batches are the same with and without workers.
    """
    workers = config.run.workers
    numbers = range(from_step * config.accumulation, config.steps * config.accumulation)
    loader: DataLoader[B] = DataLoader(
        _Draws(task, config),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=config.run.prefetch if workers else None,
        collate_fn=_as_it_is,
        worker_init_fn=_leave_with_the_trainer if workers else None,
    )
    return iter(loader)


def _leave_with_the_trainer(_worker: int) -> None:
    """Ends this worker as soon as its trainer is gone, be it by SIGKILL.

    torch's own watchdog looks at the operating system's parent, which is a fork server that outlives the trainer;
    multiprocessing knows the process that asked for the worker.
    """
    trainer = multiprocessing.parent_process()
    if trainer is not None:
        threading.Thread(target=_outlive, args=(trainer,), name="leave with the trainer", daemon=True).start()


def _outlive(trainer: BaseProcess) -> None:
    trainer.join()
    os._exit(1)


def _as_it_is(batch: B) -> B:
    return batch
