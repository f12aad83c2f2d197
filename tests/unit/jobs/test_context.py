"""Waits between attempts, links instead of copies, and faults that tell no names."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from nodal.jobs.context import link_tree, log_fault, next_delay_s
from nodal.settings import DeliverySettings
from structlog.testing import capture_logs

pytestmark = pytest.mark.unit


def waits(rules: DeliverySettings) -> list[float]:
    delays = (next_delay_s(attempt, rules) for attempt in itertools.count())
    return list(itertools.takewhile(lambda delay: delay is not None, delays))  # type: ignore[arg-type]


def test_the_wait_doubles_up_to_the_longest() -> None:
    rules = DeliverySettings(retry_first_s=30, retry_max_s=3600, give_up_after_h=72)
    assert waits(rules)[:9] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_the_node_keeps_trying_for_the_hours_promised() -> None:
    rules = DeliverySettings(retry_first_s=30, retry_max_s=3600, give_up_after_h=72)
    total_h = sum(waits(rules)) / 3600
    # the last wait that would pass 72 h is not begun, and no wait is longer than an hour
    assert 71 < total_h <= 72


def test_a_first_wait_longer_than_the_longest_is_cut() -> None:
    assert waits(DeliverySettings(retry_first_s=100, retry_max_s=10, give_up_after_h=0.01)) == [10, 10, 10]


def test_a_tree_is_linked_without_unfinished_files(tmp_path: Path) -> None:
    source = tmp_path / "study"
    (source / "series").mkdir(parents=True)
    (source / "series/1.dcm").write_bytes(b"one")
    (source / "series/.2.dcm.part").write_bytes(b"half")
    assert link_tree(source, tmp_path / "job") == 1
    copy = tmp_path / "job/series/1.dcm"
    assert copy.samefile(source / "series/1.dcm")
    (source / "series/1.dcm").unlink()
    assert copy.read_bytes() == b"one"


def test_a_fault_is_logged_by_type_and_place_only() -> None:
    try:
        int("DOE^JANE")
    except ValueError as error:
        with capture_logs() as logs:
            sentence = log_fault("stage load", error, job_id="a-r0")
    assert sentence == "an unexpected fault (ValueError) in stage load"
    assert logs[0]["job_id"] == "a-r0"
    assert logs[0]["at"][0].startswith("test_context.py:")
    assert "DOE" not in str(logs) + sentence
