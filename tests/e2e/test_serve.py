"""The node as a whole: its doors open on the ports it names, it ends when told to, and two never share a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hl7.client import MLLPClient
from nodal.errors import Code, Failed
from nodal.serve import Node
from nodal.settings import Settings
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from tests.e2e.node import NodeProcess
from tests.e2e.orthanc import free_port

pytestmark = pytest.mark.e2e


def settings(folder: Path, **more: object) -> Settings:
    values = {"state_dir": folder / "state", "listener": {"port": 0}, "api": {"port": 0}, **more}
    return Settings(**values)  # type: ignore[arg-type]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    running = Node(settings(tmp_path))
    running.start()
    yield running
    running.stop()


def health(port: int | None) -> dict[str, object]:
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer: dict[str, object] = client.get(f"http://127.0.0.1:{port}/api/health").json()
    return answer


def test_both_doors_are_open_on_the_ports_that_it_names(node: Node, tmp_path: Path) -> None:
    ports = json.loads((tmp_path / "state/ports.json").read_text())
    assert ports == {"listener": node.listener_port, "api": node.api_port, "hl7": None}
    known = health(node.api_port)
    assert (known["parts"], known["jobs"], known["intakes_waiting"]) == ({"engine": True}, {}, 0)
    caller = AE(ae_title="TEST")
    caller.add_requested_context(Verification)
    association = caller.associate("127.0.0.1", ports["listener"], ae_title="NODAL")
    assert association.send_c_echo().Status == 0x0000
    association.release()


def test_a_second_node_in_the_same_folder_is_refused_and_the_first_goes_on(node: Node, tmp_path: Path) -> None:
    with pytest.raises(Failed) as caught:
        Node(settings(tmp_path)).start()
    assert caught.value.code is Code.STATE_IN_USE
    assert health(node.api_port)["parts"] == {"engine": True}


def test_a_port_that_is_taken_stops_the_start_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port = free_port()
    first = Node(settings(tmp_path / "first", api={"port": port}))
    first.start()
    first.stop()
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.ConnectError):
        client.get(f"http://127.0.0.1:{port}/api/health")
    busy = Node(settings(tmp_path / "first", api={"port": port}, listener={"port": port}))
    with pytest.raises(Failed, match=f"cannot bind 127.0.0.1:{port}"):
        busy.start()
    again = Node(settings(tmp_path / "first", api={"port": port}))
    again.start()
    again.stop()


def test_a_node_told_to_end_ends_cleanly(tmp_path: Path) -> None:
    with NodeProcess(tmp_path) as process:
        assert process.pid is not None
        process.stop()
        assert process.wait_for_exit(1) == 0
        log = process.log_file.read_text()
    assert "node stopped" in log
    assert "Traceback" not in log


ORU = "\r".join(
    (
        "MSH|^~\\&|LAB|HOSP|NODAL|NODE|20260305103000||ORU^R01^ORU_R01|M1|P|2.5.1",
        "PID|1||77001^^^HOSP^MR||MUSTER^EVA||19600504|F",
        "OBR|1|||2532-0^LDH^LN|||20260304",
        "OBX|1|NM|2532-0^LDH^LN||480|U/L|120-240|H|||F\r",
    )
)


def test_a_laboratory_result_becomes_part_of_the_record(tmp_path: Path) -> None:
    running = Node(settings(tmp_path, hl7={"port": 0}))
    running.start()
    try:
        assert running.hl7_port
        with MLLPClient("127.0.0.1", running.hl7_port) as laboratory:
            assert b"MSA|AA|M1" in laboratory.send_message(ORU)
        with httpx.Client(trust_env=False, timeout=30) as client:
            known = client.get(f"http://127.0.0.1:{running.api_port}/api/patients/HOSP~77001/clinical").json()
        assert known["record"]["ldh_ratio"] == 2.0
        assert known["record"]["sources"]["ldh_ratio"] == "hl7"
        assert health(running.api_port)["parts"] == {"engine": True, "hl7": True}
    finally:
        running.stop()
