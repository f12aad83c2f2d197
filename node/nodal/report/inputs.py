"""What every result object is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lymphoma.imaging import Volume
from pydicom import Dataset

from nodal.findings import Findings
from nodal.settings import Accepts, Profile

__all__ = ["ObjectKind", "ReportInputs", "ResultObject", "Target"]

ObjectKind = Literal["seg", "sr", "pdf", "summary", "pdf_capture"]


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Findings with the images they were measured on.

    Attributes:
        suv: SUV (body weight, g/mL) on the native PET grid.
        lesion_map: uint16 on the same grid; 0 background, n = the lesion with ``number`` n in the findings.
        pet_headers: the PET instances without pixel data, ordered like the slices k of ``suv``.
        ct_headers: the CT instances without pixel data, ordered from foot to head.
    """

    findings: Findings
    suv: Volume
    lesion_map: Volume
    pet_headers: tuple[Dataset, ...]
    ct_headers: tuple[Dataset, ...]


@dataclass(frozen=True)
class Target:
    """For whom objects are built: what they can take, and how far results may go. Part of every UID."""

    profile: Profile
    accepts: Accepts


@dataclass(frozen=True)
class ResultObject:
    """One finished DICOM object.

    Attributes:
        data: the bytes of the Part 10 file; stored once, sent unchanged ever after.
        sha256: hex digest of ``data``.
    """

    kind: ObjectKind
    sop_class_uid: str
    sop_instance_uid: str
    data: bytes
    sha256: str
