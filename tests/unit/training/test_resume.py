"""A run that is killed and resumed ends with the bytes of one that is not."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.errors import TrainingFailed
from lymphoma.training.checkpoint import load_newest
from lymphoma.training.config import config_digest
from lymphoma.training.files import locked
from lymphoma.training.metrics_log import read_rows
from lymphoma.training.trainer import Trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.unit.training.tasks import SurvivalTask, child_context, quick_config, train_slowly

pytestmark = pytest.mark.unit

FIRST_VALIDATION_ROW = 20  # counted from 0, after one row for each step
OUTPUTS = ("kept.safetensors", "last.safetensors", "metrics.jsonl", "result.json")


@pytest.fixture(scope="module")
def start() -> Callable[[Path, int, int], BaseProcess]:
    """Starts a training process; they are forked from a server that has imported torch once."""
    context = child_context()

    def child(folder: Path, steps: int, workers: int) -> BaseProcess:
        process = context.Process(target=train_slowly, args=(folder, steps, workers))
        process.start()
        return process

    return child


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def rows_written(folder: Path) -> int:
    return len(read_rows(folder / "metrics.jsonl"))


def kill(process: BaseProcess) -> None:
    """Not ``join``: it would wait for the background worker too, which leaves a moment later."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    until = time.monotonic() + 120
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.kill(process.pid, 0)
            time.sleep(0.003)


def left_over(makers: Path, *, min_workers: int) -> list[int]:
    """Processes that made batches and are still there ten seconds after their trainer is gone."""
    known = [int(path.name) for path in makers.iterdir()]
    assert len(known) >= max(min_workers, 1), "no process said that it makes batches"
    until = time.monotonic() + 10
    while (alive := [pid for pid in known if Path(f"/proc/{pid}").exists()]) and time.monotonic() < until:
        time.sleep(0.05)
    return alive


@pytest.mark.kill
@pytest.mark.parametrize(("workers", "kills"), [(0, 6), (1, 2)])
def test_killed_and_resumed_gives_the_same_bytes(start, tmp_path: Path, workers: int, kills: int) -> None:
    steps = 150
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    undisturbed = start(whole, steps, 0)
    rng = np.random.default_rng([3, workers])
    killed_at = []
    for number in range(1, kills + 1):
        process = start(cut, steps, workers)
        # somewhere in the next tenth of the run: between checkpoints, which come every seven steps
        goal = rows_written(cut) + int(rng.integers(3, steps // 10))
        if number == kills:
            goal = max(goal, FIRST_VALIDATION_ROW + 5)
        until = time.monotonic() + 120
        while rows_written(cut) < goal and time.monotonic() < until:
            time.sleep(0.003)
        kill(process)
        assert not (cut / "result.json").exists(), "the run was over before the kill"
        killed_at.append(rows_written(cut))
    last = start(cut, steps, workers)
    for process in (last, undisturbed):
        process.join(120)
        assert process.exitcode == 0
    assert left_over(tmp_path / "cut-makers", min_workers=workers * kills) == []
    assert min(killed_at) > 0
    assert max(killed_at) > FIRST_VALIDATION_ROW, "no kill came after the first validation"
    assert outputs(cut) == outputs(whole)


def run(folder: Path, steps: int = 40, *, tensorboard: bool = False) -> None:
    Trainer(SurvivalTask(), quick_config(steps, tensorboard=tensorboard, checkpoint_every_steps=10), folder).run()


def interrupt(folder: Path, at_step: int, *, tensorboard: bool = False) -> None:
    """A run that dies at a step by an exception from outside, as at Ctrl-C."""

    def stop(done) -> None:
        if done.step == at_step:
            raise KeyboardInterrupt

    config = quick_config(40, tensorboard=tensorboard, checkpoint_every_steps=10, log_every_steps=1)
    with pytest.raises(KeyboardInterrupt):
        Trainer(SurvivalTask(), config, folder, on_update=stop).run()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    run(folder)
    return folder


def same_weights(folder: Path, other: Path) -> bool:
    return all((folder / name).read_bytes() == (other / name).read_bytes() for name in OUTPUTS[:2])


def test_a_damaged_checkpoint_gives_way_to_the_one_before(undisturbed: Path, tmp_path: Path) -> None:
    interrupt(tmp_path, 35)
    older, newest = sorted((tmp_path / "checkpoints").glob("*.pt"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    digest = config_digest(quick_config(40))
    checkpoint = load_newest(tmp_path / "checkpoints", digest)
    assert checkpoint is not None
    assert checkpoint.state.step == 20
    assert older.exists()
    run(tmp_path)
    assert same_weights(tmp_path, undisturbed)


def test_all_checkpoints_damaged_starts_anew(undisturbed: Path, tmp_path: Path) -> None:
    interrupt(tmp_path, 25)
    for file in (tmp_path / "checkpoints").glob("*.pt"):
        file.write_bytes(file.read_bytes()[:100])
    run(tmp_path)
    assert same_weights(tmp_path, undisturbed)


def test_two_checkpoints_are_kept(undisturbed: Path) -> None:
    kept = sorted((undisturbed / "checkpoints").iterdir())
    assert [file.name[:14] for file in kept] == ["step-000000030", "step-000000040"]


def test_a_checkpoint_executes_nothing(tmp_path: Path) -> None:
    """A pickle with a call in it, under a name that agrees with its bytes, is not obeyed."""
    marker = tmp_path / "executed"

    class Call:
        def __reduce__(self):
            return (os.mkdir, (str(marker),))

    folder = tmp_path / "checkpoints"
    folder.mkdir()
    torch.save({"layout": 1, "call": Call()}, folder / "part")
    sha256 = hashlib.sha256((folder / "part").read_bytes()).hexdigest()
    (folder / "part").rename(folder / f"step-000000010-{sha256}.pt")
    assert load_newest(folder, "any") is None
    assert not marker.exists()


def test_another_configuration_is_refused(undisturbed: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="TRAINING_CONFIG_CHANGED"):
        run(undisturbed, steps=41)
    interrupt(tmp_path, 15)
    with pytest.raises(TrainingFailed, match="TRAINING_CONFIG_CHANGED"):
        run(tmp_path, steps=41)


def test_a_finished_run_is_not_run_again(undisturbed: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in undisturbed.rglob("*") if file.is_file()}
    run(undisturbed)
    after = {file: file.stat().st_mtime_ns for file in undisturbed.rglob("*") if file.is_file()}
    del before[undisturbed / ".lock"], after[undisturbed / ".lock"]
    assert after == before


def hold(folder: Path, ready, done) -> None:
    with locked(folder):
        ready.set()
        done.wait(30)


def test_a_second_trainer_in_the_folder_is_refused(start, tmp_path: Path) -> None:
    context = child_context()
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, ready, done))
    other.start()
    assert ready.wait(30)
    with pytest.raises(TrainingFailed, match="TRAINING_LOCKED"):
        run(tmp_path)
    done.set()
    other.join(30)
    run(tmp_path, steps=2)


def test_no_row_and_no_event_stands_twice(tmp_path: Path) -> None:
    interrupt(tmp_path, 27, tensorboard=True)
    assert max(row.step for row in read_rows(tmp_path / "metrics.jsonl")) == 27
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 28, "ki')
    config = quick_config(40, tensorboard=True, checkpoint_every_steps=10, log_every_steps=1)
    Trainer(SurvivalTask(), config, tmp_path).run()
    rows = read_rows(tmp_path / "metrics.jsonl")
    assert [row.step for row in rows if row.kind == "training"] == list(range(1, 41))
    assert [row.step for row in rows if row.kind == "validation"] == [20, 40]
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("training/loss")] == list(range(1, 41))
    assert [event.step for event in board.Scalars("validation/nll")] == [20, 40]
