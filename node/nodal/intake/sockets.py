"""pynetdicom's association socket, reading in large pieces.

The library reads 4 KiB at a time; on an image of half a megabyte that is a hundred and thirty system calls, each of
which hands the interpreter lock around. Read into one buffer of the PDU's size, four associations together take in
several times as much.
"""

from __future__ import annotations

import socket
from typing import cast

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler

__all__ = ["BulkRequestHandler", "BulkSocket"]

MAXIMUM_PDU_BYTES = 1 << 30  # some senders put a whole multi-frame instance into one PDU; beyond is an attack
MAXIMUM_REQUEST_BYTES = 1 << 20  # of the association request, which anyone may send


class BulkSocket(AssociationSocket):  # type: ignore[misc]
    """An association socket whose :meth:`recv` reads as much at once as there is."""

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
            count = connection.recv_into(view[read:])
            if not count:
                break
            read += count
        view.release()
        del buffer[read:]
        return buffer


class BulkRequestHandler(RequestHandler):  # type: ignore[misc]
    """Makes associations that read through a :class:`BulkSocket`."""

    def _create_association(self) -> Association:
        association = super()._create_association()
        plain = association.dul.socket
        bulk = BulkSocket.__new__(BulkSocket)  # takes over the state; a second __init__ would announce it twice
        bulk.__dict__.update(plain.__dict__)
        association.dul.socket = bulk
        return association
