"""What the signature reads of a study: crops of the fused image, the CT and the PET, for three contours."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from lymphoma.dfr_signature.contours import Perturbation, perturbed
from lymphoma.dfr_signature.crop import CropSettings, as_rgb, cropped, lesion_sections, square_on, to_lps
from lymphoma.dfr_signature.fusion import SCALES, MultiScaleFusion, fused_sections
from lymphoma.dfr_signature.preparation import PreparationSettings, Prepared, prepare
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import StudyArrays

__all__ = [
    "DRAWN",
    "IMAGES",
    "WAY",
    "GreyWindows",
    "ImageKind",
    "InputSettings",
    "contours_of",
    "crops_of",
    "grey_levels",
    "inputs_of",
    "pixels_of",
    "way_of",
]

ImageKind = Literal["fused", "ct", "pet"]
IMAGES: tuple[ImageKind, ...] = get_args(ImageKind)
"""Order of the images in an array of crops."""
DRAWN = "drawn"
"""Name of the array for the contour as it was drawn; the others have the names of their perturbations."""
WAY = "PET and CT windowed, smoothed, z over the body, fused by fixed weights, cropped to 224 by cubic splines; 1"
"""Names how inputs are prepared; raise the number with every change that alters them."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class InputSettings:
    """Everything that changes a patient's crops.

    Attributes:
        scales: of the fusion. perturbed: contours beside the drawn one, which tell the repeatability of a feature; [A]
            not "eroded" by default: a small lesion cannot be eroded and would agree with itself.
    """

    preparation: PreparationSettings = PreparationSettings()
    scales: Annotated[tuple[int, ...], Field(min_length=1)] = SCALES
    crop: CropSettings = CropSettings()
    perturbed: Annotated[tuple[Perturbation, ...], Field(min_length=1)] = ("dilated", "shifted")


def way_of(settings: InputSettings) -> str:
    """:data:`WAY` with the settings: equal where and only where crops are made alike."""
    return f"{WAY}; {json.dumps(asdict(settings), sort_keys=True)}"


def contours_of(settings: InputSettings) -> tuple[str, ...]:
    """Names of the arrays that :func:`inputs_of` gives, the drawn contour first."""
    return (DRAWN, *settings.perturbed)


def inputs_of(
    study: StudyArrays, settings: InputSettings | None = None, fusion: MultiScaleFusion | None = None
) -> Arrays:
    """Crops by contour: float16 (3, s, 224, 224), images in the order of :data:`IMAGES`, z-scores.

    s is 1 for ``slices: largest`` (0.9 MB a patient), up to ``most_slices`` for "mean". Each contour has its own
    sections and squares, as another reader's would. Rows run from front to back, columns from the patient's right to
    left, sections from feet to head.

    Args:
        fusion: None has the fixed weights and the scales of ``settings``.

    Raises:
        NotComputable: ``NO_AVID_LESION``: no accepted lesion; as
            :func:`lymphoma.dfr_signature.preparation.prepare`.
    """
    settings = settings or InputSettings()
    counted = study.counted
    if not counted.any():
        raise NotComputable("NO_AVID_LESION", "no FDG-avid lesion to judge")
    numbers = np.where(counted, study.lesion_map.array, 0).astype(np.int32)
    lesions = to_lps(study.lesion_map.with_array(numbers))
    images = prepare(to_lps(study.suv), to_lps(study.ct_hu), settings.preparation)
    contours = {DRAWN: lesions} | {how: perturbed(lesions, how) for how in settings.perturbed}
    chosen = {name: lesion_sections(contour, settings.crop) for name, contour in contours.items()}
    sections = sorted({section for some in chosen.values() for section in some})
    fused = fused_sections(images.pet, images.ct, sections, fusion or MultiScaleFusion(settings.scales))
    by_section = dict(zip(sections, fused, strict=True))
    return {
        name: _crops(images, by_section, contours[name], chosen[name], settings.crop).astype(np.float16)
        for name in contours
    }


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class GreyWindows:
    """z-scores that are drawn as grey level 0 and 255; beyond, an image is black or white.

    Fixed, so that a grey level means the same in every patient; the networks expect 0 to 255, and the paper does not
    say how it made z-scores of them [A]. In crops of virtual patients the hottest voxel lies at 6 to 21 in the PET
    and at 1.6 to 3.5 in the fused image; the CT lies between -2 and 3.2 there, its window having cut it off.
    """

    fused: tuple[float, float] = (-1.5, 5.0)
    ct: tuple[float, float] = (-2.5, 3.5)
    pet: tuple[float, float] = (-1.0, 15.0)

    @model_validator(mode="after")
    def _rises(self) -> GreyWindows:
        if any(low >= high for low, high in (self.fused, self.ct, self.pet)):
            raise ValueError("a grey window goes from its lower to its upper end")
        return self


def pixels_of(
    arrays: Arrays, image: ImageKind, contour: str = DRAWN, windows: GreyWindows | None = None
) -> npt.NDArray[np.float32]:
    """Crops of one image and contour as a backbone reads them: (s, 224, 224, 3), 0 to 255, from :func:`inputs_of`.

    Raises:
        NotComputable: as :func:`crops_of`.
    """
    return as_rgb(grey_levels(crops_of(arrays, image, contour), image, windows))


def grey_levels(
    z_scores: npt.NDArray[Any], image: ImageKind, windows: GreyWindows | None = None
) -> npt.NDArray[np.float32]:
    """z-scores of one kind of image as grey levels, 0 to 255, of any shape."""
    low, high = getattr(windows or GreyWindows(), image)
    return np.asarray(np.clip((z_scores - low) * (255.0 / (high - low)), 0.0, 255.0), dtype=np.float32)


def crops_of(arrays: Arrays, image: ImageKind, contour: str = DRAWN) -> npt.NDArray[np.float32]:
    """Crops of one image and contour, (s, 224, 224), z-scores, from :func:`inputs_of`.

    Raises:
        NotComputable: ``FEATURES_UNREADABLE``: the arrays do not hold that contour.
    """
    crops = arrays.get(contour)
    if crops is None or crops.ndim != 4 or len(crops) != len(IMAGES):
        raise NotComputable("FEATURES_UNREADABLE", f"there are no crops of the contour {contour}")
    return np.asarray(crops[IMAGES.index(image)], dtype=np.float32)


def _crops(
    images: Prepared,
    fused: dict[int, npt.NDArray[np.float32]],
    contour: Volume,
    sections: tuple[int, ...],
    settings: CropSettings,
) -> npt.NDArray[np.float32]:
    """(3, s, 224, 224)."""
    found: list[list[npt.NDArray[Any]]] = []
    for section in sections:
        square = square_on(contour, section, settings)
        shown = (fused[section], images.ct.array[section], images.pet.array[section])
        found.append([cropped(one, square, contour.spacing_mm) for one in shown])
    return np.asarray(found, dtype=np.float32).swapaxes(0, 1)
