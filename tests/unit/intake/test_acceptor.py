"""The C-STORE response encoded here is byte for byte the library's."""

from __future__ import annotations

import pytest
from nodal.intake.acceptor import store_response
from nodal.intake.listener import PREAMBLE, file_meta
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, JPEGLSLossless
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import create_file_meta, encode_file_meta

pytestmark = pytest.mark.unit

UIDS = ["1.2.3", "1.2.34", "1.2.826.0.1.3680043.8.498." + "7" * 38, "9"]


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize(("message", "status"), [(1, 0x0000), (65535, 0xA700), (258, 0xC000)])
def test_response(uid: str, message: int, status: int) -> None:
    primitive = C_STORE()
    primitive.MessageIDBeingRespondedTo, primitive.Status = message, status
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = CTImageStorage, UID(uid)
    library = C_STORE_RSP()
    library.primitive_to_message(primitive)
    ((_, fragment),) = next(library.encode_msg(1, 16384)).presentation_data_value_list
    assert b"\x03" + store_response(primitive) == fragment


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLSLossless])
def test_file_meta(uid: str, syntax: UID) -> None:
    request = C_STORE()
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, UID(uid)
    meta = create_file_meta(sop_class_uid=CTImageStorage, sop_instance_uid=UID(uid), transfer_syntax=syntax)
    assert file_meta(request, syntax) == PREAMBLE + encode_file_meta(meta)
