"""What may leave: systems above a destination's limit are taken out and said to be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nodal.findings import Findings
from nodal.report.release import release
from nodal.settings import Accepts

from tests.unit.report.sample import sample_inputs, with_findings

pytestmark = pytest.mark.unit

SYSTEMS = {"lamp": {"evidence": "E0"}, "deepmts": {"evidence": "E1"}, "dfr_signature": {"evidence": "E2"}, "odd": {}}


@pytest.fixture(scope="module")
def findings() -> Findings:
    inputs = with_findings(sample_inputs(1), systems=SYSTEMS, nomograms={"site": {}}, indices={"ipi": {"points": 3}})
    return inputs.findings


@pytest.mark.parametrize(
    ("accepts", "left"),
    [
        ("measurements", set()),
        ("locally_trained", {"deepmts", "dfr_signature"}),
        ("simulation_trained", set(SYSTEMS)),
    ],
)
def test_each_limit_lets_its_levels_through(findings: Findings, accepts: Accepts, left: set[str]) -> None:
    released = release(findings, accepts)
    assert set(released.systems) == left
    unsent = {item.item for item in released.not_computed if item.code == "NOT_SENT"}
    assert unsent == set(SYSTEMS) - left
    assert released.indices == findings.indices
    assert bool(released.nomograms) == (left == set(SYSTEMS))
    assert released.totals == findings.totals


def test_attention_of_a_withheld_system_stays_behind(findings: Findings) -> None:
    lesion = replace(findings.lesions[0], attention={"lamp": 0.7, "deepmts": 0.3})
    released = release(replace(findings, lesions=(lesion,)), "locally_trained")
    assert released.lesions[0].attention == {"deepmts": 0.3}


def test_measures_alone_leave_unchanged() -> None:
    findings = sample_inputs(1).findings
    assert release(findings, "measurements") is findings
