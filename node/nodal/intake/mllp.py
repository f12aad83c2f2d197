"""Receives HL7 v2 results over MLLP (HL7 v2 transport specification, MLLP release 1) and answers each message.

One acknowledgement a message, in the original mode (HL7 v2.5.1 section 2.9.2):

    AA  taken in, and durable
    AE  the message cannot be used as it is: unreadable, or about no one patient
    AR  not for this node (type, purpose, character set, length), or the node could not keep it: send it again

An acknowledgement says what is wrong by code and sentence; no value of the message comes back but its header.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

import structlog

from nodal.audit import Trail
from nodal.clinical.hl7v2 import Header, decoded, header_of, statements_of_message
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Failed, NodalError, Refused
from nodal.settings import Hl7Settings

__all__ = ["MllpListener", "acknowledgement"]

log = structlog.get_logger()

START, END = b"\x0b", b"\x1c\r"
MAXIMUM_CONNECTIONS = 64
HEADER_BYTES = 4096  # of a message that is too long, so much is looked at for its control id
LAST_MESSAGE_S = 10.0  # a message at work when the node stops may take so long
LINGER_S = 5.0  # what a sender still writes after a rejection is read so long: a closed socket would lose the answer
_CONDITIONS: dict[Code, tuple[str, str]] = {  # HL7 table 0357
    Code.HL7_UNSUPPORTED: ("200", "Unsupported message type"),
    Code.HL7_UNREADABLE: ("100", "Segment sequence error"),
    Code.PATIENT_UNIDENTIFIED: ("204", "Unknown key identifier"),
}
_INTERNAL = ("207", "Application internal error")


@dataclass(frozen=True)
class _Answer:
    """``accept``: AA, AE or AR; ``code`` and ``sentence`` of the fault, where there is one."""

    accept: str
    code: Code | None = None
    sentence: str = ""


class MllpListener:
    """Takes in messages from :meth:`start` to :meth:`stop`; every message is an event of the trail.

    Args:
        settings: where to listen and whom to hear.
        received: keeps the statements. Only when it has returned is the message accepted, so it must not return
            before they are durable. It is called in threads of its own, one message of a connection after another;
            a message that is sent twice comes twice. What it raises turns into a rejection.
        trail: the audit trail.
    """

    def __init__(self, settings: Hl7Settings, received: Callable[[PatientStatements], None], trail: Trail) -> None:
        self._settings = settings
        self._received = received
        self._trail = trail
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None
        self._stopping = asyncio.Event()
        self._waiting: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The TCP port that is bound; the settings' while not started."""
        sockets = self._server.sockets if self._server else ()
        return int(sockets[0].getsockname()[1]) if sockets else self._settings.port

    def start(self) -> None:
        """Binds the port and returns; messages are taken in a thread of their own.

        Raises:
            Failed: the port cannot be bound.
        """
        bound: Future[asyncio.Server] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(bound)), name="mllp", daemon=True)
        self._thread.start()
        try:
            self._server = bound.result()
        except OSError as error:
            self._thread.join()
            where = f"{self._settings.host}:{self._settings.port}"
            raise Failed(Code.INTERNAL, f"the HL7 listener cannot bind {where}: {error.strerror}") from error
        log.info("HL7 listener started", host=self._settings.host, port=self.port)

    def stop(self) -> None:
        """Lets go of the port; a message at work is still finished and answered, idle connections are closed."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None:
            return
        if thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            thread.join(2 * LAST_MESSAGE_S)
        self._server = None

    def works(self) -> bool:
        """Whether messages are being taken in."""
        return self._thread is not None and self._thread.is_alive() and self._server is not None

    async def _run(self, bound: Future[asyncio.Server]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        limit = self._settings.max_message_bytes
        try:
            server = await asyncio.start_server(self._connected, self._settings.host, self._settings.port, limit=limit)
        except OSError as error:
            bound.set_exception(error)
            return
        bound.set_result(server)
        await self._stopping.wait()
        server.close()
        for idle in tuple(self._waiting):
            idle.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=LAST_MESSAGE_S)

    # ----- one connection

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        sender = str(writer.get_extra_info("peername")[0])
        try:
            if not self._lets_in(sender):
                return
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            while await self._exchange(reader, writer, sender) and not self._stopping.is_set():
                pass
        except asyncio.CancelledError:
            pass  # idle when the node stopped
        except OSError as error:  # idle for too long, gone, or the trail's disk: who was not answered sends again
            log.info("HL7 connection ended", error=error.strerror or type(error).__name__)
        finally:
            self._connections.discard(task)
            writer.close()

    def _lets_in(self, sender: str) -> bool:
        allowed = self._settings.allowed_hosts
        if allowed and sender not in allowed:
            code, sentence = Code.CALLER_UNKNOWN, "the address is not among those let in"
        elif len(self._connections) > MAXIMUM_CONNECTIONS:
            code, sentence = Code.INTERNAL, "too many connections at once"
        else:
            return True
        self._trail.record("hl7_connection_rejected", outcome="refused", code=code, sentence=sentence, address=sender)
        return False

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sender: str) -> bool:
        """Takes one message and answers it; false when the connection is at its end."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            block = await asyncio.wait_for(reader.readuntil(END), self._settings.idle_s)
        except asyncio.LimitOverrunError:
            start = (await reader.read(HEADER_BYTES)).rpartition(START)[2]
            answer = _Answer("AR", Code.HL7_UNSUPPORTED, "the message is too long")
            await self._reject(reader, writer, start, answer, sender)
            return False
        except asyncio.IncompleteReadError as torn:
            if torn.partial.strip():
                self._note(sender, _Answer("", Code.HL7_UNREADABLE, "the connection ended within a message"), "")
            return False
        finally:
            self._waiting.discard(task)
        _, start_of_block, message = block[: -len(END)].rpartition(START)
        if not start_of_block:
            answer = _Answer("AE", Code.HL7_UNREADABLE, "the bytes are not framed as MLLP asks")
            await self._reject(reader, writer, message, answer, sender)
            return False
        header, answer = await asyncio.to_thread(self._take, message, sender)
        await self._send(writer, header, answer)
        return True

    async def _reject(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, start: bytes, answer: _Answer, sender: str
    ) -> None:
        """Answers what is no message, and ends the connection: where the next one begins is not known."""
        header = header_of(start.decode("latin-1"))
        await asyncio.to_thread(self._note, sender, answer, header.control_id)
        await self._send(writer, header, answer)
        writer.write_eof()
        async with asyncio.timeout(LINGER_S):
            while await reader.read(HEADER_BYTES):
                pass

    async def _send(self, writer: asyncio.StreamWriter, header: Header, answer: _Answer) -> None:
        text = acknowledgement(header, answer.accept, answer.code, answer.sentence)
        writer.write(START + text.encode("ascii", "replace") + END)
        await writer.drain()

    # ----- one message, in a thread of its own

    def _take(self, message: bytes, sender: str) -> tuple[Header, _Answer]:
        header = header_of(message[:HEADER_BYTES].decode("latin-1"))
        counts: dict[str, int] = {}
        fails = "AE"  # once it is read, a fault is the node's own, and sending again helps
        try:
            text = decoded(message, self._settings.character_set)
            now = datetime.now(UTC).strftime("%Y%m%d%H%M%S.%f+0000")
            purposes = self._settings.processing_ids
            patient = statements_of_message(text, now, self._settings.issuers, purposes=purposes)
            counts = {"statements": len(patient.statements), "unusable": len(patient.unusable)}
            fails = "AR"
            self._received(patient)
            answer = _Answer("AA")
        except Refused as refusal:
            accept = "AR" if refusal.code == Code.HL7_UNSUPPORTED else "AE"
            answer = _Answer(accept, refusal.code, refusal.message)
        except NodalError as failure:
            answer = _Answer(fails, failure.code, "the node could not keep the message; send it again")
        except Exception as fault:  # noqa: BLE001  # the message is answered and recorded; the sender has it still
            log.error("HL7 message not taken", control_id=header.control_id, error=type(fault).__name__)
            sentence = "the node could not keep the message; send it again" if fails == "AR" else "a fault of the node"
            answer = _Answer(fails, Code.INTERNAL, sentence)
        self._note(sender, answer, header.control_id, **counts)
        return header, answer

    def _note(self, sender: str, answer: _Answer, control_id: str, **counts: Any) -> None:
        rejected: Literal["refused", "failed"] = "refused" if answer.code in _CONDITIONS else "failed"
        self._trail.record(
            "hl7_message",
            outcome="ok" if answer.code is None else rejected,
            code=answer.code,
            sentence=answer.sentence or None,
            address=sender,
            control_id=control_id,
            answer=answer.accept or None,
            **counts,
        )


def acknowledgement(header: Header, accept: str, code: Code | None = None, sentence: str = "") -> str:
    """An ACK message: MSH with sender and receiver exchanged, MSA with the control id, ERR for a fault.

    Args:
        header: of the message that is answered; an unreadable one gives an empty MSA-2.
        accept: AA, AE or AR (HL7 table 0008).
        code: of the fault; ``sentence`` says it for a person, without anything of the patient.
    """
    bar, component = header.field, header.delimiters[0]
    kind = [*header.kind.split(component), ""]
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
    msh = ["MSH", header.delimiters, *header.receiver, *header.sender, now, ""]
    msh += [component.join(("ACK", kind[1], "ACK")) if kind[1] else "ACK", uuid4().hex[:20]]
    msh += [header.purpose or "P", header.version or "2.5.1"]
    segments = [msh, ["MSA", accept, header.control_id]]
    if code is not None:
        condition, meaning = _CONDITIONS.get(code, _INTERNAL)
        coded = component.join((condition, meaning, "HL70357"))
        segments.append(["ERR", "", "", coded, "E", "", "", code, sentence])
    return "".join(f"{bar.join(fields)}\r" for fields in segments)
