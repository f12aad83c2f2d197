"""The MLLP listener over a real socket, with the client of the package hl7 and with raw bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.client import MLLPClient
from nodal.audit import Event, Trail
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Failed, Unreachable
from nodal.intake.mllp import MllpListener
from nodal.settings import Hl7Settings
from pydantic import ValidationError

pytestmark = pytest.mark.e2e

PATIENCE_S = 10.0


def oru(control_id: str = "MSG1", ldh: float = 480, kind: str = "ORU^R01^ORU_R01", more: str = "") -> str:
    return "\r".join(
        (
            f"MSH|^~\\&|LAB|HOSP|NODAL|NODE|20260305103000||{kind}|{control_id}|P|2.5.1",
            "PID|1||77001^^^HOSP^MR||MUSTER^EVA||19600504|F",
            "OBR|1|||2532-0^LDH^LN|||20260304",
            f"OBX|1|NM|2532-0^LDH^LN||{ldh:g}|U/L|135-240|H|||F{more}\r",
        )
    )


class Bench:
    """A listener, what it handed on, and its trail."""

    def __init__(self, folder: Path) -> None:
        self.audit = folder / "audit"
        self.trail = Trail(self.audit)
        self.taken: list[PatientStatements] = []
        self.keep: Callable[[PatientStatements], None] = self.taken.append
        self.listener: MllpListener | None = None

    def start(self, **settings: Any) -> MllpListener:
        self.listener = MllpListener(Hl7Settings(port=0, **settings), lambda one: self.keep(one), self.trail)
        self.listener.start()
        return self.listener

    def client(self) -> MLLPClient:
        assert self.listener is not None
        client = MLLPClient("127.0.0.1", self.listener.port)
        client.socket.settimeout(PATIENCE_S)
        return client

    def exchange(self, message: str | bytes) -> hl7.Message:
        with self.client() as client:
            return acknowledged(client.send_message(message))

    def events(self) -> list[Event]:
        return list(self.trail.events())

    def ratios(self) -> list[object]:
        return [one.value for patient in self.taken for one in patient.statements if one.field == "ldh_ratio"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    one = Bench(tmp_path)
    yield one
    if one.listener is not None:
        one.listener.stop()


def acknowledged(block: bytes) -> hl7.Message:
    assert block.startswith(b"\x0b")
    assert block.endswith(b"\x1c\r")
    return hl7.parse(block[1:-2].decode())


def answer(message: hl7.Message) -> tuple[str, str]:
    return str(message["MSA.1"]), str(message["MSA.2"])


def fault(message: hl7.Message) -> str:
    return str(message.segment("ERR")(7))


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_result_is_kept_before_it_is_acknowledged(bench: Bench) -> None:
    bench.start()
    order: list[str] = []

    def keep(patient: PatientStatements) -> None:
        time.sleep(0.05)
        bench.taken.append(patient)
        order.append("kept")

    bench.keep = keep
    reply = bench.exchange(oru("C-77"))
    order.append("answered")
    assert order == ["kept", "answered"]
    assert answer(reply) == ("AA", "C-77")
    assert [str(reply[f"MSH.{n}"]) for n in (3, 4, 5, 6, 11, 12)] == ["NODAL", "NODE", "LAB", "HOSP", "P", "2.5.1"]
    assert str(reply.segment("MSH")(9)) == "ACK^R01^ACK"
    assert len(reply) == 2  # no ERR
    (patient,) = bench.taken
    assert patient.patient_key == "HOSP~77001"
    assert bench.ratios() == [2.0]


def test_the_trail_tells_of_each_message_and_nothing_of_the_patient(bench: Bench) -> None:
    bench.start()
    bench.exchange(oru("C-1"))
    bench.exchange(oru("C-2", kind="ADT^A01"))
    taken, refused = bench.events()
    assert (taken.action, taken.outcome, taken.details["control_id"]) == ("hl7_message", "ok", "C-1")
    assert (taken.details["statements"], taken.details["unusable"]) == (3, 0)
    assert (refused.outcome, refused.code, refused.details["answer"]) == ("refused", Code.HL7_UNSUPPORTED, "AR")
    written = "".join(path.read_text() for path in bench.audit.iterdir())
    assert not any(word in written for word in ("MUSTER", "EVA", "77001", "1960", "480"))


def test_several_messages_over_one_connection_in_order(bench: Bench) -> None:
    bench.start()
    with bench.client() as client:
        replies = [answer(acknowledged(client.send_message(oru(f"N{n}", 240 + 24 * n)))) for n in range(20)]
    assert replies == [("AA", f"N{n}") for n in range(20)]
    assert bench.ratios() == [pytest.approx(1 + n / 10) for n in range(20)]


def test_messages_in_one_segment_and_in_fragments(bench: Bench) -> None:
    bench.start()
    two = b"".join(b"\x0b" + oru(f"N{n}").encode() + b"\x1c\r" for n in range(2))
    with bench.client() as client:
        for at in range(0, len(two), 7):
            client.socket.sendall(two[at : at + 7])
        received = b""
        while received.count(b"\x1c\r") < 2:
            received += client.socket.recv(4096)
    assert [answer(acknowledged(part + b"\x1c\r")) for part in received.split(b"\x1c\r")[:2]] == [
        ("AA", "N0"),
        ("AA", "N1"),
    ]


def test_connections_at_the_same_time_do_not_wait_for_each_other(bench: Bench) -> None:
    bench.start()
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def keep(patient: PatientStatements) -> None:
        both.wait()
        bench.taken.append(patient)

    bench.keep = keep
    replies: list[tuple[str, str]] = []
    senders = [threading.Thread(target=lambda n=n: replies.append(answer(bench.exchange(oru(f"S{n}"))))) for n in "ab"]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(replies) == [("AA", "Sa"), ("AA", "Sb")]


@pytest.mark.parametrize(
    ("message", "expected", "code"),
    [
        (oru(kind="ADT^A01^ADT_A01"), "AR", Code.HL7_UNSUPPORTED),
        (oru().replace("|P|2.5.1", "|D|2.5.1"), "AR", Code.HL7_UNSUPPORTED),
        (oru().replace("|2.5.1", "|2.5.1||||||ISO IR87"), "AR", Code.HL7_UNSUPPORTED),
        (oru().replace("77001^^^HOSP^MR", ""), "AE", Code.PATIENT_UNIDENTIFIED),
        (oru().replace("\rPID", "\rXYZ"), "AE", Code.PATIENT_UNIDENTIFIED),
        (oru().encode() + b"\xff\xfe", "AE", Code.HL7_UNREADABLE),
    ],
)
def test_what_cannot_be_taken_is_answered_and_the_connection_goes_on(
    bench: Bench, message: str | bytes, expected: str, code: Code
) -> None:
    bench.start()
    with bench.client() as client:
        reply = acknowledged(client.send_message(message))
        assert (*answer(reply), fault(reply)) == (expected, "MSG1", code)
        assert not any(word in str(reply) for word in ("MUSTER", "77001", "1960"))
        assert answer(acknowledged(client.send_message(oru("after")))) == ("AA", "after")


@pytest.mark.parametrize(
    "failure", [Unreachable("the database sleeps"), RuntimeError("EVA MUSTER"), OSError(28, "full")]
)
def test_what_could_not_be_kept_is_rejected_so_that_it_is_sent_again(bench: Bench, failure: Exception) -> None:
    bench.start()

    def fails(patient: PatientStatements) -> None:
        raise failure

    bench.keep = fails
    reply = bench.exchange(oru("again"))
    assert answer(reply) == ("AR", "again")
    assert "MUSTER" not in str(reply)
    (event,) = bench.events()
    assert event.outcome == "failed"
    bench.keep = bench.taken.append
    assert answer(bench.exchange(oru("again"))) == ("AA", "again")


def test_a_message_that_is_too_long_is_rejected_by_its_control_id_and_ends_the_connection(bench: Bench) -> None:
    bench.start(max_message_bytes=4096)
    with bench.client() as client:
        sent = b"\x0b" + oru("LONG", more="|" * 3_000_000).encode() + b"\x1c\r"
        client.socket.sendall(sent)
        received = b"".join(iter(lambda: client.socket.recv(4096), b""))
    reply = acknowledged(received)
    assert (*answer(reply), fault(reply)) == ("AR", "LONG", Code.HL7_UNSUPPORTED)
    assert bench.taken == []
    assert answer(bench.exchange(oru("next"))) == ("AA", "next")


@pytest.mark.parametrize(
    ("garbage", "replies"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", False),
        (b"\x16\x03\x01\x02\x00\x01" * 50, False),
        (b"\x1c\r", True),
        (b"no frame at all\x1c\r", True),
        (oru().encode() + b"\x1c\r", True),
        (b"\x0b\x1c\r", True),
        (b"\x0b\xff\xfe\x00\x1c\r", True),
        (b"\x0b" + oru().encode()[:100], False),
    ],
)
def test_garbage_does_not_stop_the_listener(bench: Bench, garbage: bytes, replies: bool) -> None:
    listener = bench.start()
    with bench.client() as client:
        client.socket.sendall(garbage)
        client.socket.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.socket.recv(4096), b""))
    assert bool(received) is replies
    if replies:
        assert answer(acknowledged(received))[0] in ("AE", "AR")
    wait_for(lambda: len(bench.events()) == 1)
    assert bench.taken == []
    assert answer(bench.exchange(oru("after"))) == ("AA", "after")
    assert listener.works()


def test_what_stands_before_a_frame_is_not_part_of_the_message(bench: Bench) -> None:
    bench.start()
    with bench.client() as client:
        torn = b"\x0b" + oru("TORN").encode()[:60]
        reply = acknowledged(client.send(torn + b"\x0b" + oru("WHOLE").encode() + b"\x1c\r"))
    assert answer(reply) == ("AA", "WHOLE")
    assert len(bench.taken) == 1


def test_an_idle_connection_is_closed(bench: Bench) -> None:
    bench.start(idle_s=0.1)
    with bench.client() as client:
        assert client.socket.recv(1) == b""


def test_only_named_senders_are_let_in(bench: Bench) -> None:
    bench.start(allowed_hosts=("192.0.2.7",))
    with bench.client() as client, contextlib.suppress(ConnectionError):  # closed before the message was written
        assert client.send_message(oru()) == b""
    (event,) = bench.events()
    assert (event.action, event.code) == ("hl7_connection_rejected", Code.CALLER_UNKNOWN)
    assert bench.taken == []


def test_beyond_loopback_the_senders_must_be_named() -> None:
    with pytest.raises(ValidationError, match="allowed_hosts"):
        Hl7Settings(host="0.0.0.0")
    assert Hl7Settings(host="0.0.0.0", allowed_hosts=("192.0.2.7",)).port == 2575


def test_a_port_in_use_is_told_and_a_stopped_one_is_free_again(bench: Bench, tmp_path: Path) -> None:
    listener = bench.start()
    port = listener.port
    second = MllpListener(Hl7Settings(port=port), bench.taken.append, bench.trail)
    with pytest.raises(Failed):
        second.start()
    assert not second.works()
    listener.stop()
    assert not listener.works()
    second.start()
    assert second.works()
    second.stop()


def test_stopping_finishes_the_message_at_work_and_closes_what_is_idle(bench: Bench) -> None:
    listener = bench.start()
    at_work, go_on = threading.Event(), threading.Event()

    def keep(patient: PatientStatements) -> None:
        at_work.set()
        go_on.wait(PATIENCE_S)
        bench.taken.append(patient)

    bench.keep = keep
    replies: list[tuple[str, str]] = []
    sender = threading.Thread(target=lambda: replies.append(answer(bench.exchange(oru("last")))))
    with bench.client() as idle:
        sender.start()
        assert at_work.wait(PATIENCE_S)
        stopping = threading.Thread(target=listener.stop)
        stopping.start()
        assert idle.socket.recv(1) == b""
        go_on.set()
        stopping.join(PATIENCE_S)
        sender.join(PATIENCE_S)
    assert replies == [("AA", "last")]
    assert len(bench.taken) == 1
    assert not listener.works()
