"""kill -9 at every stage and at any instant: the job goes on where it was, and its results arrive once."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.unit.jobs.fake_node import FakeNode

pytestmark = [pytest.mark.kill, pytest.mark.e2e]

PLACES = ["fetch", "admit", "select", "load", "segment", "anatomy", "prognosis", "encode", "deliver seg", "deliver sr"]
STAGES = ["select", "load", "segment", "anatomy", "prognosis", "encode"]


def test_killed_at_every_place_each_finished_stage_ran_once(tmp_path: Path) -> None:
    with FakeNode(tmp_path) as node:
        node.pipeline.order(**{f"kill {place}": 1 for place in PLACES})
        node.submit("one", "1.2.3")
        node.until(lambda: [view.state for view in node.jobs()] == ["done"])
        runs = Counter(node.pipeline.runs())
        # the last kill, after the SR was handed over and before its answer was noted, sends it once more
        assert node.deaths == len(PLACES)
    assert {stage: runs[f"end {stage}"] for stage in STAGES} == dict.fromkeys(STAGES, 1)
    assert {stage: runs[f"begin {stage}"] for stage in STAGES} == dict.fromkeys(STAGES, 2)
    (view,) = node.jobs()
    assert [(d.kind, d.state) for d in view.deliveries] == [("seg", "sent"), ("sr", "sent")]


def test_killed_at_any_instant_no_job_is_lost(tmp_path: Path) -> None:
    """Twelve studies, ten kills at random instants of the work; kills.py of the benchmarks does two hundred."""
    chance = random.Random(20260102)
    with FakeNode(tmp_path, recovery_attempts=50) as node:
        node.pipeline.order(sleep=0.2)  # a fast machine must not be done before the tenth kill
        studies = [f"1.2.{number}" for number in range(12)]
        for study in studies:
            node.submit(study, study)
        for _ in range(10):
            node.keep_alive()
            lines = len(node.pipeline.runs())
            node.until(lambda lines=lines: len(node.pipeline.runs()) > lines)  # type: ignore[misc]
            time.sleep(chance.uniform(0.0, 0.6))
            node.kill()
        node.until(lambda: sum(view.state == "done" for view in node.jobs()) == len(studies))
        views = node.jobs()
    assert sorted(view.study_instance_uid for view in views) == sorted(studies)
    assert all(d.state == "sent" for view in views for d in view.deliveries)
    assert all(len(view.deliveries) == 2 for view in views)
    ends = Counter(line for line in node.pipeline.runs() if line.startswith("end"))
    # a kill may fall between the end of a stage and its note: of the 72 stages at most the 10 that ran then ran twice
    assert sum(ends[f"end {stage}"] for stage in STAGES) <= 72 + 10


def test_a_job_that_kills_the_node_again_and_again_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    with FakeNode(tmp_path, recovery_attempts=2) as node:
        node.pipeline.order(**{"kill segment": 99})
        node.submit("poison", "1.2.666")
        node.until(lambda: [view.state for view in node.jobs()] == ["failed"])
        deaths = node.deaths
        (poison,) = node.jobs()
        node.pipeline.order(**{"kill segment": None})
        node.submit("good", "1.2.1")
        node.until(lambda: {view.state for view in node.jobs()} == {"failed", "done"})
        # the first run and two recoveries; nothing dies after that
        assert deaths == node.deaths == 3
    assert (poison.code, poison.message) == (
        "INTERNAL",
        "the process was killed again and again in stage segment",
    )
