"""The course of a run: ``metrics.jsonl`` and TensorBoard's event files, without a row twice after a resumption."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from torch.utils.tensorboard import SummaryWriter

from lymphoma.training.files import write_whole
from lymphoma.training.state import Metrics

__all__ = ["MetricsLog", "Row", "open_metrics_log", "read_rows"]

Kind = Literal["training", "validation"]


@dataclass(frozen=True)
class Row:
    """Values at one step; ``step`` counts the updates done."""

    step: int
    kind: Kind
    values: Metrics


class MetricsLog:
    """Appends rows to the file and, where it is wanted, to TensorBoard."""

    def __init__(self, stream: IO[str], board: SummaryWriter | None) -> None:
        self._stream = stream
        self._board = board

    def add(self, row: Row) -> None:
        """Writes one row; a value that is not finite becomes null."""
        self._stream.write(_line(row))
        self._stream.flush()
        if self._board is not None:
            _draw(self._board, row)

    def sync(self) -> None:
        """Forces the rows to the disk, so that none is missing that lies before a checkpoint."""
        os.fsync(self._stream.fileno())


@contextmanager
def open_metrics_log(folder: Path, step: int, tensorboard: bool) -> Iterator[MetricsLog]:
    """The log of a run that goes on after ``step`` updates: rows beyond them belong to a lost stretch and are cut.

    Event files cannot be cut, so they are written anew from the rows.
    """
    file = folder / "metrics.jsonl"
    rows = [row for row in read_rows(file) if row.step <= step]
    write_whole(file, "".join(map(_line, rows)).encode())
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)
    board = SummaryWriter(str(folder / "tensorboard")) if tensorboard else None
    try:
        if board is not None:
            for row in rows:
                _draw(board, row)
        with file.open("a", encoding="utf-8") as stream:
            yield MetricsLog(stream, board)
    finally:
        if board is not None:
            board.close()


def read_rows(file: Path) -> list[Row]:
    """All whole rows of a log; a last line cut short by a kill is left out. No file, no rows."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return [_row(line) for line in lines if line.endswith("\n")]


def _line(row: Row) -> str:
    values = {name: value if math.isfinite(value) else None for name, value in row.values.items()}
    return json.dumps({"step": row.step, "kind": row.kind, **values}) + "\n"


def _row(line: str) -> Row:
    content = json.loads(line)
    step, kind = content.pop("step"), content.pop("kind")
    return Row(step, kind, {name: math.nan if value is None else value for name, value in content.items()})


def _draw(board: SummaryWriter, row: Row) -> None:
    for name, value in row.values.items():
        board.add_scalar(f"{row.kind}/{name}", value, row.step)
