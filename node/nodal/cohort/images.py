"""A patient's files become arrays on the PET grid, by the same rules as a study that arrives at the node."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from lymphoma.anatomy.organs import Anatomy, GivenAnatomy
from lymphoma.imaging.registration import apply, register_ct
from lymphoma.imaging.volume import Volume
from lymphoma.segmentation import lesions_from_contour
from lymphoma.training.consensus import Consensus, majority_vote
from pydicom import Dataset

from nodal.cohort.nifti import description, not_finite
from nodal.dicom.contour import read_contour
from nodal.dicom.series import LoadedSeries, load_ct, load_pet, read_study
from nodal.errors import Code, Refused
from nodal.intake.selection import select
from nodal.settings import Settings

__all__ = [
    "CT_NAME",
    "PET_NAME",
    "VIRTUAL_MARK",
    "StudyImages",
    "check_values",
    "lesions_of",
    "names_path",
    "read_images",
    "read_organs",
    "read_reference",
    "upright",
]

PET_NAME, CT_NAME = "pet_suv.nii.gz", "ct_hu.nii.gz"
AIR_HU = -1024.0
VIRTUAL_MARK = "NODAL VIRTUAL"
"""The description in the NIfTI header of a simulated image, as the private creator in DICOM."""


@dataclass(frozen=True, eq=False)
class StudyImages:
    """PET and CT of one patient on the PET's own grid.

    Attributes:
        suv, ct_hu: float32; SUV by body weight, HU with -1024 where there is no CT.
        pet_headers: of a DICOM study, as :class:`nodal.dicom.series.LoadedSeries` has them; else empty.
        study_instance_uid: empty for NIfTI. virtual: the study says that it is simulated.
    """

    suv: Volume
    ct_hu: Volume
    pet_headers: tuple[Dataset, ...] = ()
    study_instance_uid: str = ""
    virtual: bool = False


def read_images(folder: Path, settings: Settings) -> StudyImages:
    """Reads a study folder: a NIfTI pair where one of its two files is there, else DICOM.

    Args:
        settings: how far PET headers may be read, and whether a later scan may pass as baseline.

    Raises:
        Refused: NO_PET, NO_CT (half a pair), PIXELS_UNREADABLE, CT_NO_OVERLAP; of DICOM all that selection, SUV
            conversion and reading refuse.
    """
    pet_path, ct_path = folder / PET_NAME, folder / CT_NAME
    if not (pet_path.exists() or ct_path.exists()):
        return _dicom(folder, settings)
    for path, code in ((pet_path, Code.NO_PET), (ct_path, Code.NO_CT)):
        if not path.exists():
            raise Refused(code, f"the study has one image of the pair and no {path.name}")
    suv, ct = _nifti(pet_path), _nifti(ct_path)
    if not _boxes_meet(suv, ct):
        raise Refused(Code.CT_NO_OVERLAP, "PET and CT lie in different places: their grids do not overlap")
    virtual = any(description(path).startswith(VIRTUAL_MARK) for path in (pet_path, ct_path))
    return StudyImages(suv, _on_grid(ct, suv), virtual=virtual)


def check_values(folder: Path) -> None:
    """Looks for voxels that are not finite numbers in a NIfTI pair (of DICOM, the series' reader does).

    Raises:
        Refused: VALUES_NOT_FINITE; PIXELS_UNREADABLE, a file that ends early.
    """
    for path in (folder / PET_NAME, folder / CT_NAME):
        try:
            count = not_finite(path) if path.exists() else 0
        except (OSError, EOFError, zlib.error) as fault:
            raise Refused(Code.PIXELS_UNREADABLE, f"{path.name} cannot be read to its end") from fault
        if count:
            raise Refused(Code.VALUES_NOT_FINITE, f"{path.name} holds {count} values that are not finite numbers")


def _dicom(folder: Path, settings: Settings) -> StudyImages:
    study = read_study(folder)
    chosen = select(study, settings=settings)
    pet = load_pet(chosen.pet, assume_bw=settings.suv.assume_bw)
    ct_hu = _on_grid(load_ct(chosen.ct).volume, pet.volume)
    return StudyImages(pet.volume, ct_hu, pet.headers, study.study_instance_uid, chosen.virtual)


def _nifti(path: Path) -> Volume:
    try:
        volume = Volume.load(path)
    except (RuntimeError, ValueError) as fault:
        raise Refused(Code.PIXELS_UNREADABLE, f"{path.name} cannot be read ({type(fault).__name__})") from fault
    return volume.with_array(volume.array.astype(np.float32))


def _on_grid(ct: Volume, suv: Volume) -> Volume:
    """The CT on the PET grid, registered as the node registers it."""
    found = register_ct(suv, ct)
    return ct if ct.same_grid(suv) and not found.applied else apply(ct, suv, found, fill=AIR_HU)


def _boxes_meet(one: Volume, other: Volume) -> bool:
    """Whether the boxes around two grids, along the patient's axes, share any space."""
    boxes = [(points.min(axis=0), points.max(axis=0)) for points in map(_corners_mm, (one, other))]
    (low, high), (low_other, high_other) = boxes
    return bool(np.all(np.minimum(high, high_other) > np.maximum(low, low_other)))


def _corners_mm(volume: Volume) -> npt.NDArray[np.float64]:
    ends = [(-0.5, size - 0.5) for size in volume.array.shape]
    return volume.points_mm(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3))


def read_reference(paths: Sequence[Path], images: StudyImages) -> Consensus:
    """What the majority of readers drew, on the PET grid; one path for each reader.

    Raises:
        Refused: REFERENCE_MISSING, and the codes of :func:`nodal.dicom.contour.read_contour`. Where several readers
            are named and one contour cannot be used, none is: the majority of fewer is another reference.
    """
    pet = LoadedSeries(images.suv, images.pet_headers)
    masks = []
    for number, path in enumerate(paths, start=1):
        which = f" (reader {number} of {len(paths)})" if len(paths) > 1 else ""
        if not path.is_file():
            raise Refused(Code.REFERENCE_MISSING, f"the contour is not there{which}")
        try:
            masks.append(read_contour(path, pet, study_instance_uid=images.study_instance_uid).array)
        except Refused as fault:
            raise Refused(fault.code, f"{fault.message.rstrip('.')}{which}") from fault
    return majority_vote(masks)


def lesions_of(consensus: Consensus, images: StudyImages) -> Volume:
    """The lesion map of a reference: 26-connected components, uint16, on the PET grid."""
    return lesions_from_contour(images.suv.with_array(consensus.mask))


def read_organs(organs: Path, images: StudyImages) -> Anatomy:
    """An organ map with its names in a .json beside it (label -> name), on the PET grid.

    Raises:
        Refused: ORGANS_UNREADABLE.
    """
    try:
        names = json.loads(names_path(organs).read_text(encoding="utf-8"))
        labels = {int(label): str(name) for label, name in names.items()}
        return GivenAnatomy(Volume.load(organs), labels).find(images.suv, images.ct_hu)
    except (OSError, RuntimeError, ValueError, AttributeError) as fault:
        said = f"the organ map or its names cannot be read ({type(fault).__name__}); organs count as unknown"
        raise Refused(Code.ORGANS_UNREADABLE, said) from fault


def names_path(organs: Path) -> Path:
    """Where the names of an organ map lie: ``organs.nii.gz`` has ``organs.json``."""
    return organs.with_name(organs.name.split(".")[0] + ".json")


def upright(volume: Volume) -> Volume:
    """The same voxels with axes in the order and direction of LPS: slices rise towards the head, rows to the back.

    Values are moved, never interpolated; an oblique grid stays oblique.
    """
    return Volume.from_sitk(sitk.DICOMOrient(volume.to_sitk(), "LPS"))
