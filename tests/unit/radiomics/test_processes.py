"""Work over processes: outcomes in order, errors told, and nothing lost with a process that the system ends."""

from __future__ import annotations

import multiprocessing
import os
from functools import partial

import pytest
from lymphoma.radiomics.processes import run_all

pytestmark = pytest.mark.unit


def squared(number: int) -> int:
    return number * number


def where(number: int) -> tuple[int, int]:
    """The second job ends its process, if that is not the one that asked."""
    if number == 1 and multiprocessing.parent_process() is not None:
        os._exit(9)
    return number, os.getpid()


def refused(number: int) -> int:
    raise ValueError(f"not {number}")


def test_outcomes_come_in_order() -> None:
    assert run_all([partial(squared, number) for number in (5, 3, 4)], workers=2) == [25, 9, 16]


def test_what_a_process_took_with_it_is_done_here() -> None:
    assert run_all([partial(where, number) for number in range(3)], workers=2) == [(n, os.getpid()) for n in range(3)]


def test_an_error_of_a_job_is_raised() -> None:
    with pytest.raises(ValueError, match="not 7"):
        run_all([partial(refused, 7), partial(squared, 2)], workers=2)
