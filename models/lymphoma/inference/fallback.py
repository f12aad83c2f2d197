"""What is done when a GPU's memory runs out: smaller windows once, then the CPU, and a sentence that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
import torch

from lymphoma.inference.device import Processor

__all__ = ["Attempt", "Done", "attempts", "with_fallback"]

T = TypeVar("T")

log = structlog.get_logger()

_LIBRARIES_SAY = ("CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED", "CUDA out of memory")
"""Memory that a library of the GPU could not get arrives as a plain RuntimeError."""


@dataclass(frozen=True)
class Attempt:
    """One way to run a network; ``small`` asks for smaller windows. ``note``: for the report; empty, the usual way."""

    processor: Processor
    small: bool = False
    note: str = ""


@dataclass(frozen=True)
class Done(Generic[T]):
    """What came out, by which attempt, and sentences for the report."""

    result: T
    attempt: Attempt
    notes: tuple[str, ...]


def attempts(processor: Processor) -> tuple[Attempt, ...]:
    """In their order. A CPU has one: its memory is the machine's, and smaller windows would only hide that."""
    if processor.device.type == "cpu":
        return (Attempt(processor),)
    on_cpu = Processor(torch.device("cpu"), mixed=False)
    return (
        Attempt(processor),
        Attempt(processor, small=True, note="The GPU ran out of memory; the network saw the body in smaller windows."),
        Attempt(on_cpu, note="The GPU ran out of memory, also with smaller windows; the network ran on the CPU."),
    )


def with_fallback(work: Callable[[Attempt], T], ways: Sequence[Attempt]) -> Done[T]:
    """Works in the first way for which the memory is enough.

    Args:
        work: begins anew each time. ways: of :func:`attempts`, one at least.

    Raises:
        torch.OutOfMemoryError: the memory was not enough in the last way either.
    """
    for attempt in ways[:-1]:
        try:
            return _done(work(attempt), attempt)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            log.warning("memory_ran_out", device=attempt.processor.device.type, small=attempt.small)
        # outside the handler: the error's traceback holds the tensors that filled the memory
        if attempt.processor.device.type == "cuda":
            torch.cuda.empty_cache()
    return _done(work(ways[-1]), ways[-1])


def _done(result: T, attempt: Attempt) -> Done[T]:
    return Done(result, attempt, (attempt.note,) if attempt.note else ())


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _LIBRARIES_SAY)
