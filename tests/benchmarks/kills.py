"""Kills a node many times, spread over all stages and at random instants, and counts what is lost.

    python -m tests.benchmarks.kills --kills 200 --json kills.json

The pipeline is the one without images of the tests; registry, engine and delivery are the real ones.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.unit.jobs.fake_node import FakeNode

PLACES = ("fetch", "admit", "select", "load", "segment", "anatomy", "prognosis", "encode", "deliver seg", "deliver sr")
STAGES = ("select", "load", "segment", "anatomy", "prognosis", "encode")


@dataclass(frozen=True)
class Count:
    """What came of it.

    Attributes:
        kills_in: kills by the place at which the node was; the others fell at random instants.
        jobs_lost: studies without a job that is done. doubled: studies with more than one.
        undelivered: result objects that were not sent.
        stages_rerun: stages that ended more than once, which takes a kill between the end of a stage and its note.
    """

    kills: int
    kills_in: dict[str, int]
    studies: int
    jobs_lost: int
    doubled: int
    undelivered: int
    stages_ended: int
    stages_rerun: int
    seconds: float


def measure(kills: int, folder: Path, seed: int = 1) -> Count:
    """For every study one kill at a named place, in turn, and one at a random instant of its work."""
    chance, begun = random.Random(seed), time.monotonic()
    studies = [f"1.2.{number}" for number in range(kills // 2)]
    with FakeNode(folder, recovery_attempts=10 * kills) as node:
        node.pipeline.order(sleep=0.02)
        for number, study in enumerate(studies):
            node.pipeline.order(**{f"kill {PLACES[number % len(PLACES)]}": 1})
            node.submit(study, study)
            node.keep_alive()
            wait(lambda: not node.alive)
            lines = len(node.pipeline.runs())
            node.keep_alive()
            wait(lambda lines=lines: len(node.pipeline.runs()) > lines)  # type: ignore[misc]
            time.sleep(chance.uniform(0.0, 0.5))
            node.kill()
        node.until(lambda: sum(view.state == "done" for view in node.jobs()) >= len(studies))
        jobs = node.jobs()
    lines = Counter(node.pipeline.runs())
    done = Counter(view.study_instance_uid for view in jobs if view.state == "done")
    ended = sum(lines[f"end {stage}"] for stage in STAGES)
    return Count(
        kills=2 * len(studies),
        kills_in={place: lines[f"killed {place}"] for place in PLACES},
        studies=len(studies),
        jobs_lost=len(set(studies) - set(done)),
        doubled=sum(count > 1 for count in done.values()),
        undelivered=sum(delivery.state != "sent" for view in jobs for delivery in view.deliveries),
        stages_ended=ended,
        stages_rerun=ended - len(STAGES) * len(studies),
        seconds=round(time.monotonic() - begun, 1),
    )


def wait(so: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Until something is so, or for a while: a node that had nothing left to do is killed idle."""
    deadline = time.monotonic() + limit_s
    while not so() and time.monotonic() < deadline:
        time.sleep(0.01)


def main(
    kills: Annotated[int, typer.Option(help="How often the node is killed.")] = 200,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the numbers go.")] = None,
) -> None:
    """Kills a node many times and counts what is lost; exits 1 if anything is."""
    with tempfile.TemporaryDirectory(prefix="nodal-kills-") as folder:
        count = measure(kills, Path(folder))
    table = Table("of the kills", "", title=f"{count.kills} kills of a node at work")
    for name, value in asdict(count).items():
        table.add_row(name, str(value))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(count), indent=2))
    if count.jobs_lost or count.doubled or count.undelivered:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
