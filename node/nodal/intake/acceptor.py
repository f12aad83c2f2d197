"""pynetdicom's acceptor, made to wait for events, to read in large pieces and to answer a C-STORE cheaply.

The library polls: each of an association's two threads sleeps a millisecond and looks again, so that an answer costs
two or three sleeps, which on a busy machine are ten milliseconds each. It reads 4 KiB at a time, which on an image of
half a megabyte is a hundred and thirty system calls. And it builds the seven elements of each answer as a data set.
All three are replaced through the objects that an association holds, before it starts; the protocol stays the
library's.
"""

from __future__ import annotations

import os
import queue
import select
import socket
import struct
import time
from typing import Any, cast

from pynetdicom import evt
from pynetdicom._handlers import (
    standard_dimse_recv_handler,
    standard_dimse_sent_handler,
    standard_pdu_recv_handler,
    standard_pdu_sent_handler,
)
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler

__all__ = ["BulkRequestHandler", "BulkSocket", "store_response"]

MAXIMUM_PDU_BYTES = 1 << 30  # some senders put a whole multi-frame instance into one PDU; beyond is an attack
MAXIMUM_REQUEST_BYTES = 1 << 20  # of the association request, which anyone may send
WAIT_S = 0.02  # longest wait of a thread before it looks for an abort or a time-out
LAST_COMMAND_FRAGMENT = b"\x03"  # message control header (PS3.8 annex E.2)
CLOSED_S = 0.001  # pause of a thread whose connection is gone, until it is told to end

# The library's log handlers: they would write of every PDU and message, and cost more than the answer itself.
LOGGING = (
    (evt.EVT_DIMSE_RECV, standard_dimse_recv_handler),
    (evt.EVT_DIMSE_SENT, standard_dimse_sent_handler),
    (evt.EVT_PDU_RECV, standard_pdu_recv_handler),
    (evt.EVT_PDU_SENT, standard_pdu_sent_handler),
)


class BulkSocket(AssociationSocket):  # type: ignore[misc]
    """An association socket that waits for data or for something to send, and reads as much at once as there is."""

    _wake: int

    @property
    def ready(self) -> bool:
        """Whether there is data to read, after a wait that data or an answer to be sent cut short."""
        if self.socket is None or not self._is_connected:
            time.sleep(CLOSED_S)
            return False
        try:
            readable, _, _ = select.select([self.socket, self._wake], [], [], WAIT_S)
        except (OSError, ValueError):
            self.event_queue.put("Evt17")  # transport connection closed (PS3.8 table 9-10)
            return False
        if self._wake in readable:
            os.eventfd_read(self._wake)
        return self.socket in readable

    def recv(self, nr_bytes: int) -> bytearray:
        """Reads ``nr_bytes``, fewer where the peer closes before.

        Raises:
            OSError: the connection failed, or ``nr_bytes`` is beyond any sensible PDU.
        """
        if nr_bytes > (MAXIMUM_PDU_BYTES if self.assoc.is_established else MAXIMUM_REQUEST_BYTES):
            raise OSError("a PDU of this length is not read")
        buffer = bytearray(nr_bytes)
        view, read = memoryview(buffer), 0
        connection = cast(socket.socket, self.socket)
        while read < nr_bytes:
            count = connection.recv_into(view[read:], nr_bytes - read, socket.MSG_WAITALL)
            if not count:
                break
            read += count
        view.release()
        del buffer[read:]
        return buffer

    def __del__(self) -> None:
        os.close(self._wake)


class _ToProvider(queue.Queue[Any]):
    """What the node wants to send; each item ends the wait of :attr:`BulkSocket.ready`."""

    def __init__(self, wake: int) -> None:
        super().__init__()
        self._wake = wake

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        os.eventfd_write(self._wake, 1)


class _Messages(queue.Queue[Any]):
    """What the peer has sent; to look without blocking waits a moment for it."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        return super().get(True, timeout if block else WAIT_S)


class _Dimse(DIMSEServiceProvider):  # type: ignore[misc]
    """The library's DIMSE provider; C-STORE responses are encoded here."""

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Sends a message; a C-STORE response as one fragment."""
        largest = self.maximum_pdu_size
        if isinstance(primitive, C_STORE) and primitive.MessageIDBeingRespondedTo is not None:
            command = store_response(primitive)
            if not largest or len(command) + 6 < largest:
                data = P_DATA()
                data.presentation_data_value_list = [[context_id, LAST_COMMAND_FRAGMENT + command]]
                self.dul.send_pdu(data)
                return
        super().send_msg(primitive, context_id)


def store_response(primitive: C_STORE) -> bytes:
    """The command set of a C-STORE response, implicit VR little endian (PS3.7 table 9.3-2, section 6.3.1)."""
    elements = b"".join(
        struct.pack("<HHL", 0x0000, element, len(value)) + value
        for element, value in (
            (0x0002, _even(primitive.AffectedSOPClassUID)),
            (0x0100, struct.pack("<H", 0x8001)),
            (0x0120, struct.pack("<H", primitive.MessageIDBeingRespondedTo)),
            (0x0800, struct.pack("<H", 0x0101)),
            (0x0900, struct.pack("<H", primitive.Status)),
            (0x1000, _even(primitive.AffectedSOPInstanceUID)),
        )
    )
    return struct.pack("<HHLL", 0x0000, 0x0000, 4, len(elements)) + elements


def _even(uid: str | None) -> bytes:
    value = str(uid or "").encode("ascii", "replace")
    return value + b"\0" * (len(value) % 2)


class BulkRequestHandler(RequestHandler):  # type: ignore[misc]
    """Makes associations that wait for events and read through a :class:`BulkSocket`."""

    def _create_association(self) -> Association:
        association = super()._create_association()
        provider = association.dul
        bulk = BulkSocket.__new__(BulkSocket)  # takes over the state; a second __init__ would announce it twice
        bulk.__dict__.update(provider.socket.__dict__)
        bulk._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        provider.socket = bulk
        provider.to_provider_queue = _ToProvider(bulk._wake)
        provider._run_loop_delay = 0.0
        association.dimse = _Dimse(association)
        association.dimse.msg_queue = _Messages()
        for event, handler in LOGGING:
            association.unbind(event, handler)
        return association
