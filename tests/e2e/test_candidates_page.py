"""A reader's one click on a candidate: on the job's page and in Orthanc Explorer, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from nodal.findings import Findings, to_json
from nodal.jobs.decisions import Decision
from nodal.jobs.workspace import Workspace

from tests.e2e.browser import Browser
from tests.e2e.orthanc import OrthancServer
from tests.e2e.test_orthanc_plugin import STUDY, NodeAtPort, behind, encoded, instance
from tests.unit.api.fake_node import JOB, job_view
from tests.unit.report.reviewed import out_of_range, reviewed
from tests.unit.report.sample import sample_inputs

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

__all__ = ["behind"]

NEXT = JOB.replace("-r0", "-r1")
LESIONS = "document.querySelectorAll('#lesions tbody tr').length"


def findings() -> Findings:
    """Three lesions, the last to be confirmed; an organ's name that would be markup."""
    found = reviewed(sample_inputs(3), unconfirmed=1, rejected=3).findings
    first, *rest = found.rejected_candidates
    return replace(found, rejected_candidates=(replace(first, organ="<b>brain</b>"), *rest))


def give(node: NodeAtPort, found: Findings) -> None:
    """Puts findings into the job's folder."""
    Workspace(node.state_dir / "jobs" / JOB).write_text("findings.json", to_json(found))


@pytest.fixture
def node(behind: NodeAtPort) -> NodeAtPort:
    behind.node.known_jobs = [job_view(study_instance_uid=STUDY), job_view(job_id=NEXT, study_instance_uid="1.2")]
    give(behind, findings())
    behind.start()
    return behind


class TestJobPage:
    def test_each_lesion_stands_with_status_and_probability(self, node: NodeAtPort, tmp_path: Path) -> None:
        with Browser(tmp_path / "profile") as page:
            page.open(f"{node.url}/ui/job/{JOB}")
            page.until(f"{LESIONS} === 3")
            lesions, rejected = page.text("#lesions"), page.text("#rejected")
            assert "accepted by a person > 99 % Not a lesion" in lesions
            assert "to be confirmed 31 % Confirm Reject" in lesions
            assert "1 <b>brain</b> 400.0 18.0 not taken < 1 % Take back" in rejected  # as text, never as markup
            assert "not taken by a person" in rejected
            assert "simulation-trained network, not for clinical use" in page.text("#range")
            page.picture(tmp_path / "page.png")
            assert (tmp_path / "page.png").stat().st_size > 20_000

    @pytest.mark.parametrize(
        ("where", "row", "label", "decision"),
        [
            ("#rejected", 2, "Take back", Decision(True, rejected=2)),
            ("#lesions", 3, "Confirm", Decision(True, lesion=3)),
            ("#lesions", 3, "Reject", Decision(False, lesion=3)),
            ("#lesions", 2, "Not a lesion", Decision(False, lesion=2)),
        ],
    )
    def test_one_click_makes_the_revision_and_goes_there(
        self, node: NodeAtPort, tmp_path: Path, where: str, row: int, label: str, decision: Decision
    ) -> None:
        with Browser(tmp_path / "profile") as page:
            page.open(f"{node.url}/ui/job/{JOB}")
            page.until(f"{LESIONS} === 3")
            page.click(f"{where} tbody tr:nth-child({row})", label)
            page.until(f"location.pathname.endsWith('{NEXT}')")
        assert node.node.decisions == [(decision, "api")]
        (event,) = (one for one in node.trail.events() if one.action == "job_candidate_decided")
        assert (event.job_id, event.details["predecessor"]) == (NEXT, JOB)

    def test_a_job_that_was_replaced_has_no_buttons(self, node: NodeAtPort, tmp_path: Path) -> None:
        node.node.known_jobs = [job_view(state="superseded")]
        with Browser(tmp_path / "profile") as page:
            page.open(f"{node.url}/ui/job/{JOB}")
            page.until(f"{LESIONS} === 3")
            assert page.value("document.querySelectorAll('#lesions-section button').length") == 0

    def test_lesions_that_nobody_judged_have_no_buttons(self, node: NodeAtPort, tmp_path: Path) -> None:
        give(node, out_of_range(sample_inputs(2)).findings)
        with Browser(tmp_path / "profile") as page:
            page.open(f"{node.url}/ui/job/{JOB}")
            page.until(f"{LESIONS} === 2")
            assert page.value("document.querySelectorAll('#lesions-section button').length") == 0
            assert "Scan out of range (liver suv mean" in page.text("#range")

    def test_a_refusal_is_said_and_the_page_stays(self, node: NodeAtPort, tmp_path: Path) -> None:
        found = findings()
        one = replace(found.rejected_candidates[1], number=99)  # the node in memory knows no such candidate
        give(node, replace(found, rejected_candidates=(one,)))
        with Browser(tmp_path / "profile") as page:
            page.open(f"{node.url}/ui/job/{JOB}")
            page.until(f"{LESIONS} === 3")
            page.click("#rejected", "Take back")
            page.until("!document.getElementById('word-refusal').hidden")
            assert "hold no such candidate" in page.text("#word-refusal")
            page.until("![...document.querySelectorAll('#rejected button')].some((one) => one.disabled)")


CHANGED = "correction: TMTV 134.6 → 120.2 mL, lesions 7 → 6, LAMP OS low → high"


def corrected(node: NodeAtPort) -> None:
    """The job took another's place."""
    node.node.known_jobs = [job_view(study_instance_uid=STUDY, predecessor=NEXT, cause="correction")]


def test_what_a_correction_changed_stands_on_the_jobs_page(node: NodeAtPort, tmp_path: Path) -> None:
    corrected(node)
    with Browser(tmp_path / "profile") as page:
        page.open(f"{node.url}/ui/job/{JOB}")
        page.until("document.querySelector('#difference:not([hidden])') !== null")
        assert page.text("#difference") == CHANGED


def test_what_a_correction_changed_stands_in_orthancs_panel(
    start_orthanc: Callable[..., OrthancServer], node: NodeAtPort, tmp_path: Path
) -> None:
    corrected(node)
    orthanc = start_orthanc(node_url=node.url)
    orthanc.upload(encoded(instance(0)))
    (study,) = orthanc.client.get("/studies").json()
    with Browser(tmp_path / "profile") as page:
        page.open(f"{orthanc.url}/app/explorer.html#study?uuid={study}")
        page.until("document.querySelectorAll('#nodal-panel details').length === 2")
        assert CHANGED in page.text("#nodal-panel")


def test_one_click_in_orthancs_panel(
    start_orthanc: Callable[..., OrthancServer], node: NodeAtPort, tmp_path: Path
) -> None:
    orthanc = start_orthanc(node_url=node.url)
    for number in range(3):
        orthanc.upload(encoded(instance(number)))
    (study,) = orthanc.client.get("/studies").json()
    with Browser(tmp_path / "profile") as page:
        page.open(f"{orthanc.url}/app/explorer.html#study?uuid={study}")
        page.until("document.querySelectorAll('#nodal-panel details').length === 2")
        panel = page.text("#nodal-panel")
        assert "Lesions: 1 to be confirmed" in panel
        assert "Not taken for lesions: 3" in panel
        assert "simulation-trained network, not for clinical use" in panel
        page.value("document.querySelectorAll('#nodal-panel details')[1].open = true")
        assert "<b>brain</b>" in page.text("#nodal-panel")  # as text, never as markup
        page.picture(tmp_path / "panel.png")
        page.click("#nodal-panel details:nth-of-type(2) tbody tr:nth-child(2)", "Take back")
        page.until("document.querySelectorAll('#nodal-panel details').length === 2")
    ((decision, by),) = node.node.decisions
    assert decision == Decision(True, rejected=2)
    assert by.startswith("orthanc")
