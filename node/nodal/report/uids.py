"""Stable UIDs: the same input names the same thing, on any machine and at any time.

Every UID is ``2.25.`` and the integer of a UUID (PS3.5 B.2) taken from a SHA-256 (RFC 9562, version 8), never a
random one.
"""

from __future__ import annotations

import hashlib
import uuid

from nodal.report.inputs import ObjectKind, Target

__all__ = ["derived_uid", "object_uid", "series_uid", "stable_uid", "tracking_uid"]


def stable_uid(*parts: str) -> str:
    """A UID made of the parts: the same parts in the same order give the same UID; each part's length counts.

    Returns:
        ``2.25.<integer>``, at most 44 characters.
    """
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    octets = bytearray(digest.digest()[:16])
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    return f"2.25.{uuid.UUID(bytes=bytes(octets)).int}"


def object_uid(kind: ObjectKind, target: Target, digest: str) -> str:
    """SOP Instance UID of a result object.

    Args:
        kind: which of the result objects. target: for whom it is built; what of it shapes this kind is part of the UID.
        digest: hex, of all that the object is made from (:func:`nodal.report.canonical.inputs_digest`).
    """
    return stable_uid("nodal", "object", kind, *target.shaping(kind), digest)


def series_uid(sop_instance_uid: str) -> str:
    """Series Instance UID of a result object; each is a series of its own, known from the object's UID alone."""
    return derived_uid(sop_instance_uid, "series")


def derived_uid(owner_uid: str, role: str) -> str:
    """A UID that belongs to an object, such as its DimensionOrganizationUID or an observation's UID."""
    return stable_uid("nodal", "derived", owner_uid, role)


def tracking_uid(pet_series_instance_uid: str, lesion_map_sha256: str, number: int) -> str:
    """Tracking UID of a lesion seen for the first time; later revisions carry it on by best overlap.

    Args:
        pet_series_instance_uid: the PET that was measured. lesion_map_sha256: hex digest of the lesion map.
        number: the lesion's number in that map; 0 stands for the patient as a whole.
    """
    return stable_uid("nodal", "tracking", pet_series_instance_uid, lesion_map_sha256, str(number))
