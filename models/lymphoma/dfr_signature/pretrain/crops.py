"""Crops of virtual patients with what lies in their middle, made once by the steps of inference and kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked
from scipy import ndimage

from lymphoma.anatomy.classes import IGNORED, shipped_classes
from lymphoma.dfr_signature.crop import SIZE, Square, cropped, to_lps
from lymphoma.dfr_signature.fusion import fused_sections
from lymphoma.dfr_signature.inputs import IMAGES, WAY, GreyWindows, grey_levels
from lymphoma.dfr_signature.preparation import prepare
from lymphoma.dfr_signature.pretrain.classes import class_of, suv_bins
from lymphoma.errors import NotComputable
from lymphoma.imaging.body import body_mask
from lymphoma.training.cache import DiskCache, Entry
from lymphoma.training.case import Case, Cohort, Subject

__all__ = ["CropPlan", "CropStore", "LabelledCrops", "make_crops"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
SEEN_VOXELS = 3
"""A crop's SUV is the mean over 3 x 3 voxels of its section: what a blurred eye sees in the middle."""


@checked(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class CropPlan:
    """Which crops are taken of a patient.

    Attributes:
        count: crops. lesion_share: of them about a lesion's voxel, where there is a lesion; the others lie about an
            organ, each organ equally often. sides_mm: shortest and longest edge, drawn on a log scale; lesions with
            their margin are as large [A].
    """

    count: Annotated[int, Field(gt=0)] = 40
    lesion_share: Annotated[float, Field(ge=0, le=1)] = 0.4
    sides_mm: tuple[float, float] = (30.0, 200.0)


@dataclass(frozen=True, eq=False)
class LabelledCrops:
    """Crops of one patient.

    Attributes:
        pixels: uint8 (n, 3, 224, 224), grey levels, images in the order of
            :data:`lymphoma.dfr_signature.inputs.IMAGES`. classes: (n,), see
            :mod:`lymphoma.dfr_signature.pretrain.classes`.
    """

    pixels: Bytes
    classes: Ints

    def __len__(self) -> int:
        return len(self.classes)


def make_crops(case: Case, plan: CropPlan, seed: int) -> LabelledCrops:
    """Crops at random places of a patient; the same seed gives the same. A body without anything to see gives none.

    Args:
        case: with lesions and organs, as virtual patients have them.
    """
    assert case.lesions is not None
    suv, ct = to_lps(case.suv), to_lps(case.ct_hu)
    lesions = to_lps(case.lesions).array > 0
    organs = to_lps(case.anatomy.require(*case.anatomy.names.values()))
    labels = shipped_classes().merged(organs.array.astype(np.uint8), case.anatomy.names)
    try:
        images = prepare(suv, ct)
    except NotComputable:
        return LabelledCrops(np.empty((0, len(IMAGES), SIZE, SIZE), dtype=np.uint8), np.empty(0, dtype=np.int64))
    rng = np.random.default_rng([seed, plan.count])
    at = _places(labels, lesions, body_mask(suv, ct), plan, rng)
    shortest, longest = (float(np.log(edge)) for edge in plan.sides_mm)
    sides = np.exp(rng.uniform(shortest, longest, size=len(at)))
    sections = sorted({int(k) for k in at[:, 0]})
    fused = dict(zip(sections, fused_sections(images.pet, images.ct, sections), strict=True))
    pixels = np.empty((len(at), len(IMAGES), SIZE, SIZE), dtype=np.uint8)
    for number, ((k, j, i), side) in enumerate(zip(at.tolist(), sides.tolist(), strict=True)):
        square = Square(k, float(j), float(i), side)
        shown = (fused[k], images.ct.array[k], images.pet.array[k])
        for channel, (image, section) in enumerate(zip(IMAGES, shown, strict=True)):
            pixels[number, channel] = np.rint(
                grey_levels(cropped(section, square, suv.spacing_mm), image, GreyWindows())
            )
    organ = _with_hosts(labels, lesions)[tuple(at.T)].astype(np.int64)
    organ[organ == IGNORED] = 0
    return LabelledCrops(pixels, class_of(organ, lesions[tuple(at.T)], suv_bins(_seen(suv.array, at))))


def _places(
    labels: Bytes,
    lesions: npt.NDArray[np.bool_],
    body: npt.NDArray[np.bool_],
    plan: CropPlan,
    rng: np.random.Generator,
) -> Ints:
    """(n, 3), voxels (k, j, i)."""
    about_lesions = round(plan.count * plan.lesion_share) if lesions.any() else 0
    inside = body & ~lesions & (labels != IGNORED)
    kinds, counts = np.unique(labels[inside], return_counts=True)
    flat = np.flatnonzero(inside)
    order = flat[np.argsort(labels.ravel()[flat], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(counts)])
    chosen = rng.integers(len(kinds), size=plan.count - about_lesions)
    others = [int(order[rng.integers(starts[kind], starts[kind + 1])]) for kind in chosen.tolist()]
    own = rng.choice(np.flatnonzero(lesions), about_lesions).tolist() if about_lesions else []
    return np.stack(np.unravel_index(np.array(own + others, dtype=np.int64), labels.shape), axis=1).astype(np.int64)


def _with_hosts(labels: Bytes, lesions: npt.NDArray[np.bool_]) -> Bytes:
    """Organs, within lesions that of the nearest voxel outside [A]: the maps of virtual patients say none there."""
    if not lesions.any():
        return labels
    box = tuple(slice(max(0, one.start - 1), one.stop + 1) for one in ndimage.find_objects(lesions.astype(np.uint8))[0])
    nearest = ndimage.distance_transform_edt(lesions[box], return_distances=False, return_indices=True)
    hosts = labels.copy()
    hosts[box] = labels[box][tuple(nearest)]
    return hosts


def _seen(suv: npt.NDArray[np.floating], at: Ints) -> npt.NDArray[np.float64]:
    half = SEEN_VOXELS // 2
    return np.array(
        [
            suv[k, max(0, j - half) : j + half + 1, max(0, i - half) : i + half + 1].mean(dtype=np.float64)
            for k, j, i in at.tolist()
        ]
    )


@dataclass(frozen=True, eq=False)
class CropStore:
    """Crops of a cohort's patients, made when first asked for (some seconds each) and read from the disk afterwards.

    Attributes:
        cases: where patients come from. cache: 6 MB a patient with 40 crops.
    """

    cases: Cohort
    cache: DiskCache
    plan: CropPlan

    def load(self, subject: Subject) -> LabelledCrops:
        """The crops of one patient."""
        named = json.dumps([WAY, subject.content, asdict(self.plan)], sort_keys=True)
        key = hashlib.sha256(named.encode()).hexdigest()

        def make() -> Entry:
            seed = int(hashlib.sha256(subject.content.encode()).hexdigest()[:12], 16)
            found = make_crops(self.cases.load(subject), self.plan, seed)
            return Entry({"pixels": found.pixels, "classes": found.classes})

        kept = self.cache.get(key, make).arrays
        return LabelledCrops(kept["pixels"], kept["classes"])
