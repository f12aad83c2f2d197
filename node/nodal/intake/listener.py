"""The node's storage SCP (PS3.4 Annex B) and verification SCP (PS3.4 Annex A).

Everything of DICOM's storage classes is taken in, in every transfer syntax that can be read later; what of it is
used, selection decides. 0x0000 goes back only when the instance is on disk (:class:`nodal.intake.spool.Spool`).

    0x0000  stored, or already there
    0xA700  disk nearly full, or the disk failed: try again later
    0xC000  the data set does not say where it belongs, or contradicts the request: quarantined
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakKeyDictionary

import structlog
from pydicom import uid
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import create_file_meta, encode_file_meta
from pynetdicom.events import Event
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import Verification
from pynetdicom.transport import ThreadedAssociationServer

from nodal.audit import Trail
from nodal.errors import Code, Failed, Refused
from nodal.intake.acceptor import BulkRequestHandler
from nodal.intake.spool import Received, Spool
from nodal.settings import ListenerSettings

__all__ = ["TRANSFER_SYNTAXES", "Listener"]

log = structlog.get_logger()

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000  # PS3.4 table B.2-1
MAXIMUM_ASSOCIATIONS = 64
IDLE_S = 120.0  # an association on which nothing comes for so long is closed
PREAMBLE = b"\0" * 128 + b"DICM"

TRANSFER_SYNTAXES = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.JPEGLosslessSV1,
    uid.JPEGLossless,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLSNearLossless,
    uid.JPEG2000,
    uid.HTJ2K,
)


@dataclass
class _Tally:
    """What came over one association."""

    caller: str
    studies: set[str] = field(default_factory=set)
    series: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    replaced: int = 0


class Listener:
    """Receives instances into a spool, from :meth:`start` to :meth:`stop`.

    A caller must name the node's AE title, and be among ``allowed_callers`` where that is not empty; else its
    association is rejected and audited. One event is written for an association, not for an instance.
    """

    def __init__(self, settings: ListenerSettings, spool: Spool, trail: Trail) -> None:
        self._settings = settings
        self._spool = spool
        self._trail = trail
        self._server: ThreadedAssociationServer | None = None
        self._tallies: WeakKeyDictionary[Association, _Tally] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        """The TCP port that is bound; the settings' while not started."""
        return int(self._server.server_address[1]) if self._server else self._settings.port

    def start(self) -> None:
        """Binds the port and returns; associations run in threads of their own.

        Raises:
            Failed: the port cannot be bound.
        """
        ae = AE(ae_title=self._settings.ae_title)
        ae.require_called_aet = True
        ae.require_calling_aet = list(self._settings.allowed_callers)
        ae.maximum_pdu_size = 0  # unlimited
        ae.maximum_associations = MAXIMUM_ASSOCIATIONS
        ae.network_timeout = IDLE_S
        for context in AllStoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax, list(TRANSFER_SYNTAXES))
        ae.add_supported_context(Verification)
        try:
            server = ae.make_server(
                (self._settings.host, self._settings.port),
                evt_handlers=[
                    (evt.EVT_C_ECHO, self._on_echo),
                    (evt.EVT_C_STORE, self._on_store),
                    (evt.EVT_ACCEPTED, self._on_accepted),
                    (evt.EVT_REJECTED, self._on_rejected),
                    (evt.EVT_RELEASED, self._on_end, ["released"]),
                    (evt.EVT_ABORTED, self._on_end, ["aborted"]),
                ],
                server_class=_Server,
                request_handler=BulkRequestHandler,
            )
        except OSError as error:
            where = f"{self._settings.host}:{self._settings.port}"
            raise Failed(Code.INTERNAL, f"the listener cannot bind {where}: {error.strerror}") from error
        ae._servers.append(server)  # where shutdown() looks for it
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.1,), name="listener", daemon=True).start()
        log.info("listener started", host=self._settings.host, port=self.port, ae_title=self._settings.ae_title)

    def stop(self) -> None:
        """Lets go of the port and aborts what is still connected; what was acknowledged is on disk."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        for association in server.active_associations:
            association.abort()

    def _on_echo(self, event: Event) -> int:
        return SUCCESS

    def _on_store(self, event: Event) -> int:
        request, context = event.request, event.context
        caller = event.assoc.requestor.ae_title
        tally = self._tally(event.assoc)
        received = Received(
            sop_class_uid=str(request.AffectedSOPClassUID),
            sop_instance_uid=str(request.AffectedSOPInstanceUID),
            transfer_syntax=context.transfer_syntax,
            calling_ae=caller,
            file_meta=file_meta(request, context.transfer_syntax),
            data=event.encoded_dataset(include_meta=False),
        )
        try:
            stored = self._spool.put(received)
        except Refused as refusal:
            tally.refused[refusal.code] += 1
            self._trail.record(
                "instance_quarantined", outcome="refused", code=refusal.code, sentence=refusal.message, caller=caller
            )
            return CANNOT_UNDERSTAND
        except Failed as failure:
            tally.refused[failure.code] += 1
            log.error("instance not taken in", code=failure.code)
            return OUT_OF_RESOURCES
        except OSError as error:
            tally.refused[Code.DISK_FULL] += 1
            log.error("instance not written", error=error.strerror)
            return OUT_OF_RESOURCES
        tally.studies.add(stored.study_instance_uid)
        tally.series[stored.series_instance_uid] += 1
        tally.duplicates += stored.duplicate
        if stored.replaced is not None:
            tally.replaced += 1
            self._trail.record(
                "instance_replaced",
                study_instance_uid=stored.study_instance_uid,
                sop_instance_uid=received.sop_instance_uid,
                quarantined=stored.replaced.name,
                caller=caller,
            )
        return SUCCESS

    def _tally(self, association: Association) -> _Tally:
        with self._lock:
            return self._tallies.setdefault(association, _Tally(association.requestor.ae_title))

    def _on_accepted(self, event: Event) -> None:
        tally = self._tally(event.assoc)
        address = event.assoc.requestor.address
        self._trail.record("association_accepted", caller=tally.caller, address=address)

    def _on_rejected(self, event: Event) -> None:
        requestor, called = event.assoc.requestor, event.assoc.requestor.primitive.called_ae_title
        allowed = self._settings.allowed_callers
        if called != self._settings.ae_title:
            code, sentence = Code.FORBIDDEN, "the caller did not ask for this node's AE title"
        elif allowed and requestor.ae_title not in allowed:
            code, sentence = Code.CALLER_UNKNOWN, "the calling AE title is not among those let in"
        else:
            code, sentence = Code.INTERNAL, "too many associations at once"
        self._trail.record(
            "association_rejected",
            outcome="refused",
            code=code,
            sentence=sentence,
            caller=requestor.ae_title,
            called=called,
            address=requestor.address,
        )

    def _on_end(self, event: Event, how: str) -> None:
        """Runs in the association's own thread, after its last instance; a dropped connection counts as aborted."""
        with self._lock:
            tally = self._tallies.pop(event.assoc, None)
        if tally is None or not (tally.series or tally.refused):
            return
        self._trail.record(
            "association_ended",
            outcome="ok" if how == "released" and not tally.refused else "failed",
            study_instance_uid=next(iter(tally.studies)) if len(tally.studies) == 1 else None,
            caller=tally.caller,
            ended=how,
            instances=sum(tally.series.values()),
            series=dict(tally.series),
            duplicates=tally.duplicates,
            replaced=tally.replaced,
            refused=dict(tally.refused),
        )


def file_meta(request: C_STORE, transfer_syntax: str) -> bytes:
    """Preamble, prefix and file meta information of a received instance (PS3.10 section 7.1).

    The library encodes it once for all instances that differ in nothing but their UID, whose place is then filled in.
    """
    value = str(request.AffectedSOPInstanceUID).encode("ascii", "replace")
    value += b"\0" * (len(value) % 2)
    before, after = _file_meta_around(str(request.AffectedSOPClassUID), transfer_syntax, len(value))
    return before + value + after


@lru_cache(maxsize=512)
def _file_meta_around(sop_class_uid: str, transfer_syntax: str, length: int) -> tuple[bytes, bytes]:
    """What stands before and after a SOP Instance UID of a padded ``length``."""
    placeholder = "9" * length
    meta = create_file_meta(
        sop_class_uid=uid.UID(sop_class_uid),
        sop_instance_uid=uid.UID(placeholder),
        transfer_syntax=uid.UID(transfer_syntax),
    )
    before, _, after = (PREAMBLE + encode_file_meta(meta)).partition(placeholder.encode())
    return before, after


class _Server(ThreadedAssociationServer):  # type: ignore[misc]
    """Answers at once: TCP_NODELAY."""

    daemon_threads = True
    request_queue_size = 64

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        client, address = super().get_request()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client, address
