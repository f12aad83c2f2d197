"""C-STORE to a destination: one association, one presentation context per SOP class, an outcome per instance."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification
from pynetdicom.status import code_to_category

from nodal.delivery.outcome import Outcome, Parcel
from nodal.errors import Code, Unreachable
from nodal.settings import Destination

__all__ = ["DimseSender", "no_delay", "store"]

TIMEOUT_S = 30.0
WAKE_S = 1.0
OUT_OF_RESOURCES = range(0xA700, 0xA800)


def no_delay(event: evt.Event) -> None:
    """Sets TCP_NODELAY on a new DICOM socket: without it Nagle and delayed acknowledgement cost 40 ms a message."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def store(association: Association, dataset: Dataset) -> Dataset:
    """One C-STORE; the status, without ``Status`` where no answer came.

    pynetdicom's own thread pauses around each message. A next message that is sent before that thread has woken may
    lose its answer to it, so it is awaited here.

    Raises:
        ValueError: no context for the class and its transfer syntax. RuntimeError: the association has ended.
    """
    status = association.send_c_store(dataset)
    deadline = time.monotonic() + WAKE_S
    while association._is_paused and association.is_established and time.monotonic() < deadline:
        time.sleep(0.0005)
    return status


class DimseSender:
    """Sends to one DIMSE destination under the node's own AE title."""

    def __init__(self, destination: Destination, calling_ae_title: str) -> None:
        self._to = destination
        self._calling = calling_ae_title

    def send(self, parcels: Sequence[Parcel]) -> tuple[Outcome, ...]:
        """Sends every parcel once.

        Returns:
            An outcome per parcel, in their order. A destination that cannot be reached gives ``retry`` for all.
        """
        datasets = {parcel.sop_instance_uid: dcmread(BytesIO(parcel.data)) for parcel in parcels}
        wanted = dict.fromkeys((str(d.SOPClassUID), d.file_meta.TransferSyntaxUID) for d in datasets.values())
        try:
            association = self._associate(tuple(wanted))
        except Unreachable as error:
            return tuple(Outcome(p.sop_instance_uid, "retry", error.code, error.message) for p in parcels)
        try:
            return tuple(self._store(association, datasets[p.sop_instance_uid]) for p in parcels)
        finally:
            if association.is_established:
                association.release()

    def accepted_classes(self, sop_classes: Sequence[str]) -> dict[str, bool]:
        """C-ECHO, then which of the SOP classes the destination would take.

        Raises:
            Unreachable: no association, or no answer to the echo.
        """
        association = self._associate([(name, ExplicitVRLittleEndian) for name in (Verification, *sop_classes)])
        try:
            accepted = {context.abstract_syntax for context in association.accepted_contexts}
            if Verification in accepted and association.send_c_echo().get("Status") != 0x0000:
                raise Unreachable(f"{self._to.name} did not answer C-ECHO")
            return {name: name in accepted for name in sop_classes}
        finally:
            association.release()

    def _associate(self, wanted: Sequence[tuple[str, UID]]) -> Association:
        entity = AE(ae_title=self._calling)
        entity.maximum_pdu_size = 0
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = TIMEOUT_S
        syntaxes = [UID(text) for text in self._to.profile.transfer_syntaxes]
        for sop_class_uid, syntax in wanted:
            entity.add_requested_context(sop_class_uid, [syntax] if syntax.is_compressed else syntaxes)
        association = entity.associate(
            self._to.host or "",
            self._to.port or 0,
            ae_title=self._to.ae_title or "ANY-SCP",
            evt_handlers=[(evt.EVT_CONN_OPEN, no_delay)],
        )
        if association.is_established:
            return association
        if association.is_rejected:
            raise Unreachable(f"{self._to.name} rejected the association")
        if association.acceptor.primitive is not None and not association.accepted_contexts:
            return association  # accepted, but no context of it: said per instance
        raise Unreachable(f"{self._to.name} cannot be reached at {self._to.host}:{self._to.port}")

    def _store(self, association: Association, dataset: Dataset) -> Outcome:
        uid, sop_class = str(dataset.SOPInstanceUID), UID(dataset.SOPClassUID)
        rejected = Outcome(
            uid,
            "refused_permanent",
            Code.REJECTED_BY_DESTINATION,
            f"{self._to.name} takes no {sop_class.name}",
            context_rejected=True,
        )
        if not any(context.abstract_syntax == sop_class for context in association.accepted_contexts):
            return rejected
        try:
            status = store(association, dataset)
        except ValueError:  # its class is accepted, its transfer syntax is not
            return rejected
        except RuntimeError:
            return Outcome(uid, "retry", Code.UNREACHABLE, f"{self._to.name} ended the association")
        return _outcome(self._to.name, uid, status)


def _outcome(name: str, uid: str, status: Dataset) -> Outcome:
    code = status.get("Status")
    if code is None:
        return Outcome(uid, "retry", Code.UNREACHABLE, f"{name} did not answer")
    category = code_to_category(code)
    if category in ("Success", "Warning"):
        return Outcome(uid, "sent", message=None if category == "Success" else f"{name} warned with 0x{code:04X}")
    sentence = f"{name} answered 0x{code:04X} ({category})"
    if code in OUT_OF_RESOURCES or category in ("Cancel", "Pending"):
        return Outcome(uid, "retry", Code.REJECTED_BY_DESTINATION, sentence)
    return Outcome(uid, "refused_permanent", Code.REJECTED_BY_DESTINATION, sentence)
