"""pynetdicom's acceptor, made to wait for events and to read in large pieces.

The library polls: each of an association's two threads sleeps a millisecond and looks again, so that an answer costs
two or three sleeps, which on a busy machine are ten milliseconds each. And it reads 4 KiB at a time, which on an
image of half a megabyte is a hundred and thirty system calls. Both are replaced through the objects that an
association holds, before it starts; the protocol stays the library's.
"""

from __future__ import annotations

import os
import queue
import select
import socket
import time
from typing import Any, cast

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler

__all__ = ["BulkRequestHandler", "BulkSocket"]

MAXIMUM_PDU_BYTES = 1 << 30  # some senders put a whole multi-frame instance into one PDU; beyond is an attack
MAXIMUM_REQUEST_BYTES = 1 << 20  # of the association request, which anyone may send
WAIT_S = 0.02  # longest wait of a thread before it looks for an abort or a time-out
CLOSED_S = 0.001  # pause of a thread whose connection is gone, until it is told to end


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
        association.dimse.msg_queue = _Messages()
        return association
