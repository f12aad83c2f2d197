"""What every result object is made from."""

from __future__ import annotations

from dataclasses import dataclass

from lymphoma.imaging import Volume
from pydicom import Dataset

from nodal.findings import Findings
from nodal.settings import Accepts, ObjectKind, Profile

__all__ = ["FhirForm", "ObjectKind", "ReportInputs", "ResultObject", "Target"]


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
class FhirForm:
    """How a FHIR server knows its patients.

    Attributes:
        systems: (Issuer of Patient ID as the scanners write it, identifier system) of each that is known.
    """

    systems: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Target:
    """For whom objects are built: what they can take, and how far results may go.

    Attributes:
        fhir: given where the target takes a FHIR report and no DICOM object.
    """

    profile: Profile
    accepts: Accepts
    fhir: FhirForm | None = None

    def shaping(self, kind: ObjectKind) -> tuple[str, ...]:
        """What of the target shapes the bytes of one kind of object, and so is part of its UID.

        An SR names the SEG it measures, so the SEG's form shapes it too, and key images name their outlines; how a PDF
        travels shapes no SEG. Two targets that differ in nothing that matters share the object.
        """
        own = {
            "sr": (f"sr={self.profile.sr}", f"seg={self.profile.seg}"),
            "seg": (f"seg={self.profile.seg}",),
            "key_images": (f"key_images={self.profile.key_images}",),
            "fhir": tuple(f"{issuer}={system}" for issuer, system in (self.fhir or FhirForm()).systems),
        }
        return (self.accepts, self.profile.character_set, *own.get(kind, ()))


@dataclass(frozen=True)
class ResultObject:
    """One finished DICOM object, or the FHIR report.

    Attributes:
        sop_class_uid: empty for the FHIR report; its ``sop_instance_uid`` is the report's identifier.
        data: the bytes of the Part 10 file, or of the JSON; stored once, sent unchanged ever after.
        sha256: hex digest of ``data``.
    """

    kind: ObjectKind
    sop_class_uid: str
    sop_instance_uid: str
    data: bytes
    sha256: str
