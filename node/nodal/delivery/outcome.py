"""What became of one result object at one destination, and what is tried in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nodal.errors import Code
from nodal.settings import ObjectKind, Profile

__all__ = ["Outcome", "Parcel", "fall_back"]


@dataclass(frozen=True)
class Parcel:
    """A result object on its way: the bytes of a Part 10 file and what a sender must know of them."""

    kind: ObjectKind
    sop_class_uid: str
    sop_instance_uid: str
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """The answer of a destination.

    ``sent``: accepted. ``refused_permanent``: a retry cannot help. ``retry``: it may.
    """

    sop_instance_uid: str
    state: Literal["sent", "refused_permanent", "retry"]
    code: Code | None = None
    message: str | None = None
    context_rejected: bool = False


def fall_back(profile: Profile, kind: ObjectKind) -> Profile | None:
    """The profile to build for when a destination takes no presentation context for this kind of object.

    Comprehensive 3D SR becomes Comprehensive SR; a LABELMAP SEG becomes BINARY; an encapsulated PDF becomes secondary
    captures of its pages. None: there is nothing else this destination could take.
    """
    if kind == "sr" and profile.sr == "3d":
        return profile.model_copy(update={"sr": "comprehensive"})
    if kind == "seg" and profile.seg == "labelmap":
        return profile.model_copy(update={"seg": "binary"})
    if kind == "pdf" and profile.pdf == "encapsulated":
        return profile.model_copy(update={"pdf": "secondary_capture"})
    return None
