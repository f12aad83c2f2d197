"""How a run is watched: a report after every update, and a bar that draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lymphoma.training.state import Metrics

__all__ = ["OnUpdate", "UpdateDone", "progress_bar"]


@dataclass(frozen=True)
class UpdateDone:
    """After an update: how many of how many, its values, and the metrics of the weights kept so far."""

    step: int
    steps: int
    values: Metrics
    best: Metrics


OnUpdate = Callable[[UpdateDone], None]


@contextmanager
def progress_bar(title: str, console: Console) -> Iterator[OnUpdate]:
    """A bar on ``console`` (the command line's, on stderr), to be passed to the trainer."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[said]}"), console=console) as progress:
        bar = progress.add_task(title, total=None, said="")

        def show(done: UpdateDone) -> None:
            said = "  ".join(f"{name} {value:.4g}" for name, value in done.best.items())
            progress.update(bar, completed=done.step, total=done.steps, said=f"loss {done.values['loss']:.4g}  {said}")

        yield show
