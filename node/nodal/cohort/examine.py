"""Reads everything of one patient once and notes what was found."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from lymphoma.errors import NotComputable
from lymphoma.imaging.body import body_mask
from lymphoma.imaging.volume import Volume

from nodal.cohort.images import StudyImages, check_values, lesions_of, read_images, read_organs, read_reference
from nodal.cohort.model import Fault, ImageFacts
from nodal.cohort.sources import Sources
from nodal.errors import Code, NodalError, Refused
from nodal.settings import Settings

__all__ = ["PLAUSIBLE_BODY_SUV", "examine", "reference_of"]

PLAUSIBLE_BODY_SUV = (0.2, 2.5)
"""[A] Median over the body. By its definition the mean SUV of a whole body is just under 1, and fat and muscle, most of
the voxels, read 0.3 to 0.8; Bq/mL reads thousands, an SUV ten times too high 5. A head alone, with its brain, reads 2.
"""


def examine(sources: Sources, settings: Settings) -> ImageFacts:
    """What a patient's files hold; whatever is wrong with them is a fault, never an exception."""
    try:
        check_values(sources.study)
        images = read_images(sources.study, settings)
    except NodalError as error:
        return ImageFacts((Fault(error.code, error.message),))
    median = _body_median(images)
    facts = ImageFacts(virtual=images.virtual, body_suv_median=median, images=_digest(images.suv, images.ct_hu))
    low, high = PLAUSIBLE_BODY_SUV
    if median is not None and not low <= median <= high:
        said = f"the body's median value is {median:.3g}; in SUV it lies between {low:g} and {high:g}"
        facts = _with(facts, Fault(Code.SUV_SCALE, said))
    return _with_organs(_with_reference(facts, sources, images), sources, images)


def reference_of(sources: Sources, images: StudyImages) -> tuple[Volume | None, float | None]:
    """The lesion map, and the readers' mean Dice coefficient where there are several.

    Returns:
        None for the map where the row names no reference and does not declare that there is no lesion.

    Raises:
        Refused: the codes of :func:`nodal.cohort.images.read_reference`; CONTOUR_EMPTY also where no voxel finds a
            majority; CLINICAL_IMPLAUSIBLE, a contour of a patient who is declared to have no lesion.
    """
    nothing = images.suv.with_array(np.zeros(images.suv.array.shape, dtype=np.uint16))
    if not sources.references:
        return (nothing if sources.no_lesion else None), None
    try:
        consensus = read_reference(sources.references, images)
    except Refused as fault:
        if fault.code is Code.CONTOUR_EMPTY and sources.no_lesion:
            return nothing, None
        raise
    if sources.no_lesion:
        raise Refused(Code.CLINICAL_IMPLAUSIBLE, "the row declares that there is no lesion, but the contour holds one")
    if not consensus.mask.any():
        raise Refused(Code.CONTOUR_EMPTY, "no voxel was drawn by a majority of the readers")
    return lesions_of(consensus, images), consensus.mean_dice


def _with_reference(facts: ImageFacts, sources: Sources, images: StudyImages) -> ImageFacts:
    try:
        lesions, agreement = reference_of(sources, images)
    except Refused as error:
        return _with(facts, Fault(error.code, error.message, ("segmentation",)))
    except NotComputable as error:
        return _with(facts, Fault(Code(error.code), error.reason, ("segmentation",)))
    if lesions is None:
        return facts
    return replace(
        facts,
        has_reference=True,
        lesions=int(lesions.array.max()),
        lesion_ml=round(int(np.count_nonzero(lesions.array)) * lesions.voxel_volume_ml, 3),
        readers=len(sources.references),
        readers_dice=agreement,
    )


def _with_organs(facts: ImageFacts, sources: Sources, images: StudyImages) -> ImageFacts:
    if sources.organs is None:
        return facts
    try:
        read_organs(sources.organs, images)
    except Refused as error:
        return _with(facts, Fault(error.code, error.message, ()))
    return facts


def _with(facts: ImageFacts, fault: Fault) -> ImageFacts:
    return replace(facts, faults=(*facts.faults, fault))


def _body_median(images: StudyImages) -> float | None:
    body = body_mask(images.suv, images.ct_hu)
    return float(np.median(images.suv.array[body])) if body.any() else None


def _digest(*volumes: Volume) -> str:
    digest = hashlib.sha256()
    for volume in volumes:
        digest.update(np.ascontiguousarray(volume.array, dtype="<f4").tobytes())
    return digest.hexdigest()
