"""Delivery by C-STORE against real acceptors: what is sent, refused for good, and tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from nodal.delivery import DimseSender, Parcel
from nodal.errors import Code, Unreachable
from nodal.settings import Destination
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    SegmentationStorage,
    generate_uid,
)
from pynetdicom import AE, evt

pytestmark = pytest.mark.unit


def parcel(sop_class: str, syntax: str = ExplicitVRLittleEndian) -> Parcel:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.PatientID = "X"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return Parcel("sr", sop_class, dataset.SOPInstanceUID, stream.getvalue())


@contextmanager
def archive(classes: tuple[str, ...], answer: Callable[[evt.Event], int]) -> Iterator[Destination]:
    entity = AE(ae_title="ARCHIVE")
    for name in classes:
        entity.add_supported_context(name)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, answer)])
    try:
        port = server.server_address[1]
        yield Destination(name="archive", host="127.0.0.1", port=port, ae_title="ARCHIVE")
    finally:
        server.shutdown()


def test_everything_accepted_is_sent() -> None:
    kept: list[str] = []

    def keep(event: evt.Event) -> int:
        kept.append(str(event.dataset.SOPInstanceUID))
        return 0x0000

    with archive((ComprehensiveSRStorage, SegmentationStorage), keep) as destination:
        parcels = [parcel(ComprehensiveSRStorage), parcel(SegmentationStorage)]
        outcomes = DimseSender(destination, "NODAL").send(parcels)
    assert [outcome.state for outcome in outcomes] == ["sent", "sent"]
    assert kept == [p.sop_instance_uid for p in parcels]


def test_a_rejected_context_is_permanent_and_the_others_go() -> None:
    with archive((ComprehensiveSRStorage,), lambda event: 0x0000) as destination:
        parcels = [parcel(EncapsulatedPDFStorage), parcel(ComprehensiveSRStorage)]
        refused, sent = DimseSender(destination, "NODAL").send(parcels)
    assert (refused.state, refused.code, refused.context_rejected) == (
        "refused_permanent",
        Code.REJECTED_BY_DESTINATION,
        True,
    )
    assert sent.state == "sent"


def test_no_context_at_all_is_permanent_too() -> None:
    with archive((ComprehensiveSRStorage,), lambda event: 0x0000) as destination:
        (outcome,) = DimseSender(destination, "NODAL").send([parcel(EncapsulatedPDFStorage)])
    assert (outcome.state, outcome.context_rejected) == ("refused_permanent", True)


def test_a_compressed_object_whose_syntax_is_refused_is_permanent() -> None:
    with archive((SegmentationStorage,), lambda event: 0x0000) as destination:
        (outcome,) = DimseSender(destination, "NODAL").send([parcel(SegmentationStorage, RLELossless)])
    assert (outcome.state, outcome.context_rejected) == ("refused_permanent", True)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (0x0000, "sent"),
        (0xB000, "sent"),
        (0xA700, "retry"),
        (0xA900, "refused_permanent"),
        (0xC001, "refused_permanent"),
    ],
)
def test_status_decides(status: int, state: str) -> None:
    with archive((ComprehensiveSRStorage,), lambda event: status) as destination:
        (outcome,) = DimseSender(destination, "NODAL").send([parcel(ComprehensiveSRStorage)])
    assert outcome.state == state


def test_an_archive_that_is_down_is_tried_again() -> None:
    with archive((ComprehensiveSRStorage,), lambda event: 0x0000) as destination:
        pass
    (outcome,) = DimseSender(destination, "NODAL").send([parcel(ComprehensiveSRStorage)])
    assert (outcome.state, outcome.code) == ("retry", Code.UNREACHABLE)
    with pytest.raises(Unreachable):
        DimseSender(destination, "NODAL").accepted_classes([ComprehensiveSRStorage])
