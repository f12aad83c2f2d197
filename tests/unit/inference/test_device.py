"""The device of the settings, and what happens when its memory runs out."""

from __future__ import annotations

import pytest
import torch
from lymphoma.errors import NotComputable
from lymphoma.inference.device import Processor, choose
from lymphoma.inference.fallback import Attempt, attempts, with_fallback

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")
GPU = Processor(torch.device("cuda"), mixed=True)


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("without_gpu")
def test_a_gpu_that_is_not_there_is_said() -> None:
    assert choose("auto", "float32") == Processor(CPU)
    with pytest.raises(NotComputable, match="DEVICE_UNFIT"):
        choose("cuda")


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize(
    ("able", "mixed"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True}, False), ({}, False)],
)
def test_bfloat16_by_itself_only_where_the_processor_multiplies_it(
    able: dict[str, bool], mixed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert choose("cpu").mixed is mixed
    assert choose("cpu", "bfloat16").mixed
    assert not choose("cpu", "float32").mixed


def test_a_gpu_takes_bfloat16_and_gives_way_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose("auto") == GPU
    first, second, third = attempts(GPU)
    assert (first.processor, first.small, first.note) == (GPU, False, "")
    assert (second.processor, second.small) == (GPU, True)
    assert third.processor == Processor(CPU)
    assert second.note
    assert third.note
    assert len(attempts(Processor(CPU))) == 1


def run_out(times: int, error: Exception) -> tuple[list[Attempt], object]:
    tried: list[Attempt] = []

    def work(attempt: Attempt) -> str:
        tried.append(attempt)
        if len(tried) <= times:
            raise error
        return f"ran on {attempt.processor.device.type}"

    return tried, work


ON_CPU = (
    Attempt(Processor(CPU)),
    Attempt(Processor(CPU), small=True, note="Smaller."),
    Attempt(Processor(CPU), note="CPU."),
)


@pytest.mark.parametrize(("times", "notes"), [(0, ()), (1, ("Smaller.",)), (2, ("CPU.",))])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")]
)
def test_the_next_way_is_tried_when_memory_runs_out(times: int, notes: tuple[str, ...], error: Exception) -> None:
    tried, work = run_out(times, error)
    done = with_fallback(work, ON_CPU)
    assert done.notes == notes
    assert done.attempt is ON_CPU[times]
    assert tried == list(ON_CPU[: times + 1])


def test_memory_that_runs_out_in_the_last_way_and_any_other_error_are_not_hidden() -> None:
    _, work = run_out(3, torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(torch.OutOfMemoryError):
        with_fallback(work, ON_CPU)
    tried, work = run_out(1, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes"):
        with_fallback(work, ON_CPU)
    assert len(tried) == 1
