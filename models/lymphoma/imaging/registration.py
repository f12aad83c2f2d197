"""One rigid registration of CT to PET for all systems; it moves the CT only where that is clearly better.

The header's alignment is the start and, in a combined scanner, nearly always the answer. What a rigid motion cannot say
(another breath, a moved arm) stays as it is. Intensities are squeezed for the comparison only; no value of the CT
changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from lymphoma.imaging.body import filled_sections, head_axis
from lymphoma.imaging.resample import resample_like, resample_moved
from lymphoma.imaging.volume import Volume
from lymphoma.imaging.working import working_grid

__all__ = ["ROTATION_LIMIT_DEG", "SHIFT_LIMIT_MM", "Registration", "Verdict", "apply", "register_ct"]

SHIFT_LIMIT_MM = 15.0
ROTATION_LIMIT_DEG = 5.0
"""A patient who lies strapped on the couch between two scans moves less; what is found beyond is an error of the
search, or of the pair."""

CLEAR_GAIN = 0.03
"""Share by which mutual information must grow. Measured on virtual patients, whole bodies: with nothing to correct the
search gains under .01, with 2 mm .04, with 3 mm .05, with 8 mm .3."""

CLEAR_GAIN_SHORT = 0.15
"""The same of a cropped scan, where the diaphragm in another breath can be most of what is seen: a chest of 190 mm
gained up to .13 by following it, with nothing else to correct."""

CLEAR_MOTION_MM = 2.0
"""Less than half a voxel of the PET is not worth an interpolation of the CT."""

LEAST_INFORMATION = 0.05
LEAST_INFORMATION_LONG = 0.54
"""nats, at the best place; below, PET and CT are not of one patient. A long scan of one patient reaches .58 to 1.0
on virtual patients, with somebody else's CT .1 to .52; a chest may have .3 and be right."""

LONG_MM = 600.0

LEAST_VOXELS = 500
"""Working voxels of body, a quarter of a litre: 32 x 32 cells of a joint histogram cannot be filled by fewer."""

WORKING_MM = (4.0, 8.0)
WORKING_VOXELS = 200_000
"""Voxels of 8 mm are enough for a body; a cropped scan would leave too few, and is compared in voxels down to 4 mm."""

MARGIN_MM = 24.0
"""Around the body on PET: enough air that the outline counts, too little for couch and far arms of another scan."""

PET_BODY_SUV = 0.2
SMALLEST_PART = 0.02
SUV_CEILING = 8.0
"""Above, brain, heart and bladder would take most of the histogram's bins."""

AIR_HU = -1000.0
BONE_HU = 1000.0
BINS = 32
SAMPLES = (15_000, 40_000)
"""Points compared in the coarse and in the fine pass."""

SEED = 20_240
LEVER_MM = 150.0
"""A turn by one radian moves the body's mass by about this much: it weighs rotation against shift."""

Mask = npt.NDArray[np.bool_]
Verdict = Literal["aligned", "moved", "not_credible"]


@dataclass(frozen=True)
class Registration:
    """A rigid motion from PET to CT, and whether to use it.

    Attributes:
        applied: True for "moved" only. shift_mm: how far the middle of the body moves. rotation_deg: the angle of the
            rotation about its axis.
        metric_before, metric_after: mutual information in nats, of the header's alignment and of the best found.
        verdict: "aligned", there is nothing to gain; "moved"; "not_credible", the two do not match, or only outside
            15 mm or 5 degrees.
        parameters: three angles (rad) and three shifts (mm) of ITK's Euler3DTransform, which takes a point of the PET
            to its place in the CT. centre_mm: of the rotation, LPS.
    """

    applied: bool
    shift_mm: float
    rotation_deg: float
    metric_before: float
    metric_after: float
    verdict: Verdict
    parameters: tuple[float, ...]
    centre_mm: tuple[float, float, float]

    @property
    def transform(self) -> sitk.Euler3DTransform:
        """The motion found, used or not."""
        motion = sitk.Euler3DTransform()
        motion.SetCenter(self.centre_mm)
        motion.SetParameters(self.parameters)
        return motion


def register_ct(suv: Volume, ct_hu: Volume) -> Registration:
    """Looks for the rigid motion that fits the CT to the PET; the same two volumes give the same answer to 1e-7.

    Mattes' mutual information of log(1 + SUV) and asinh of Hounsfield units, both in voxels of 4 to 8 mm, in the body
    and 24 mm around; gradient descent from the header's alignment, coarse then fine, in one thread with fixed samples.

    Args:
        suv: SUV on the PET grid. ct_hu: on its own grid, in the same patient space.
    """
    pet, body = _pet(suv)
    if int(body.sum()) < LEAST_VOXELS:
        return _unmoved(pet, body, "not_credible")
    edge_mm = float(pet.spacing_mm.max())
    near = ndimage.distance_transform_edt(~body, sampling=pet.spacing_mm[::-1]) <= MARGIN_MM
    search = _Search(pet.to_sitk(), _ct(ct_hu, edge_mm).to_sitk(), pet.with_array(near).to_sitk(), int(near.sum()))
    start = _at_rest(pet, body)
    try:
        before = search.information(start)
        found = start
        for samples, first_step_mm, blur_mm in zip(SAMPLES, (3.0, 1.0), (edge_mm, 0.0), strict=True):
            found = search.improved(found, samples, first_step_mm, blur_mm)
        after = search.information(found)
    except RuntimeError:  # ITK's only error: too little of the CT lies in the PET
        return _unmoved(pet, body, "not_credible")
    sections = _length_mm(pet, body)
    return _judged(found, before, after, long=sections >= LONG_MM)


def apply(ct_hu: Volume, like: Volume, registration: Registration, *, fill: float = -1024.0) -> Volume:
    """The CT on the grid of ``like`` (the PET), moved where the registration is to be used; resampled once.

    Args:
        ct_hu: on its own grid. fill: HU where the CT has no data.

    Returns:
        float32, block means and linear interpolation as :func:`lymphoma.imaging.resample_like`.
    """
    if not registration.applied:
        return resample_like(ct_hu, like, fill=fill, interpolation="linear")
    return resample_moved(ct_hu, like, registration.transform, fill=fill)


@dataclass(frozen=True, eq=False)
class _Search:
    """PET, CT and the voxels that count; ``voxels`` is their number."""

    pet: sitk.Image
    ct: sitk.Image
    near: sitk.Image
    voxels: int

    def information(self, motion: sitk.Euler3DTransform) -> float:
        """Mutual information in nats, over all voxels that count."""
        method = self._method(motion)
        return -float(method.MetricEvaluate(self.pet, self.ct))

    def improved(
        self, motion: sitk.Euler3DTransform, samples: int, first_step_mm: float, blur_mm: float
    ) -> sitk.Euler3DTransform:
        """The best motion near another."""
        method = self._method(motion)
        if samples < self.voxels:
            method.SetMetricSamplingStrategy(method.RANDOM)
            method.SetMetricSamplingPercentage(samples / self.voxels, SEED)
        method.SetOptimizerAsRegularStepGradientDescent(first_step_mm, 0.05, 60, 0.5, 1e-6)
        method.SetOptimizerScales([LEVER_MM**2] * 3 + [1.0] * 3)
        method.SetShrinkFactorsPerLevel([1])
        method.SetSmoothingSigmasPerLevel([blur_mm])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        found = method.Execute(self.pet, self.ct)
        result = sitk.Euler3DTransform()
        result.SetCenter(motion.GetCenter())
        result.SetParameters(found.GetParameters())
        return result

    def _method(self, motion: sitk.Euler3DTransform) -> sitk.ImageRegistrationMethod:
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(BINS)
        method.SetMetricFixedMask(self.near)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetInitialTransform(motion, inPlace=False)
        method.SetNumberOfThreads(1)  # the order of sums decides the last digits
        return method


def _pet(suv: Volume) -> tuple[Volume, Mask]:
    """The PET as it is compared, and the body on it."""
    edge_mm = float(np.clip(np.cbrt(np.prod(suv.extent_mm) / WORKING_VOXELS), *WORKING_MM))
    coarse = resample_like(suv, working_grid(suv, edge_mm), fill=0.0, interpolation="linear")
    body = filled_sections(ndimage.binary_opening(coarse.array > PET_BODY_SUV), head_axis(coarse)[0])
    labels, count = ndimage.label(body)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    kept = np.concatenate(([False], sizes >= SMALLEST_PART * sizes.max(initial=0)))
    compressed = np.log1p(np.clip(coarse.array, 0.0, SUV_CEILING))
    return coarse.with_array(compressed.astype(np.float32)), np.asarray(kept[labels])


def _ct(ct_hu: Volume, edge_mm: float) -> Volume:
    """The CT as it is compared: soft tissue gets more of the range than lung and bone."""
    coarse = resample_like(ct_hu, working_grid(ct_hu, edge_mm), fill=AIR_HU, interpolation="linear")
    squeezed = np.arcsinh((np.clip(coarse.array, AIR_HU, BONE_HU) - 40.0) / 100.0)
    return coarse.with_array(squeezed.astype(np.float32))


def _at_rest(pet: Volume, body: Mask) -> sitk.Euler3DTransform:
    still = sitk.Euler3DTransform()
    middle = np.argwhere(body).mean(axis=0) if body.any() else (np.array(body.shape) - 1) / 2
    still.SetCenter(pet.points_mm(middle).tolist())
    return still


def _unmoved(pet: Volume, body: Mask, verdict: Verdict) -> Registration:
    still = _at_rest(pet, body)
    return Registration(False, 0.0, 0.0, 0.0, 0.0, verdict, still.GetParameters(), still.GetCenter())


def _judged(found: sitk.Euler3DTransform, before: float, after: float, *, long: bool) -> Registration:
    shift_mm = float(np.linalg.norm(found.GetTranslation()))
    cosine = (np.trace(np.array(found.GetMatrix()).reshape(3, 3)) - 1.0) / 2.0
    rotation_deg = math.degrees(math.acos(min(1.0, max(-1.0, float(cosine)))))
    least, clear = (LEAST_INFORMATION_LONG, CLEAR_GAIN) if long else (LEAST_INFORMATION, CLEAR_GAIN_SHORT)
    verdict: Verdict = "aligned"
    if after < least or shift_mm > SHIFT_LIMIT_MM or rotation_deg > ROTATION_LIMIT_DEG:
        verdict = "not_credible"
    elif after - before >= clear * before and _motion_mm(shift_mm, rotation_deg) >= CLEAR_MOTION_MM:
        verdict = "moved"
    return Registration(
        applied=verdict == "moved",
        shift_mm=round(shift_mm, 2),
        rotation_deg=round(rotation_deg, 2),
        metric_before=round(before, 5),
        metric_after=round(after, 5),
        verdict=verdict,
        parameters=tuple(round(value, 7) for value in found.GetParameters()),  # below, sums differ by their order
        centre_mm=found.GetCenter(),
    )


def _length_mm(pet: Volume, body: Mask) -> float:
    """Length of the body seen, along the patient."""
    axis = head_axis(pet)[0]
    others = tuple(one for one in range(3) if one != axis)
    return float(body.any(axis=others).sum() * pet.spacing_mm[2 - axis])


def _motion_mm(shift_mm: float, rotation_deg: float) -> float:
    """How far a point at the usual distance from the middle moves, at most."""
    return shift_mm + math.radians(rotation_deg) * LEVER_MM
