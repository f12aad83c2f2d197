"""One patient of the second generator, whole: body, uptake, disease, scans, clinic; and faults on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.lesions import label_lesions
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Case, Subject
from scipy import ndimage

from tests.generator_b.body import NAMES, Body, build_body, draw_person
from tests.generator_b.burden import clinical_factors, draw_burden
from tests.generator_b.camera import Camera, blurred, detect, draw_camera
from tests.generator_b.disease import Disease, grow
from tests.generator_b.geometry import Floats, stream
from tests.generator_b.priors import Tracer
from tests.generator_b.tomograph import scan_ct
from tests.generator_b.uptake import draw_uptake

__all__ = ["FAULTS", "GENERATOR", "Fault", "PatientB", "build", "spoilt"]

GENERATOR = "B1"
STREAM = 50
THRESHOLD_SUV = 4.0
BULKY_MM = 75.0

Fault = Literal["psma", "fes", "dotatate", "treated_marrow", "suv_times_ten", "left_right", "head_foot", "foreign_ct"]
FAULTS: tuple[Fault, ...] = (
    "psma", "fes", "dotatate", "treated_marrow", "suv_times_ten", "left_right", "head_foot", "foreign_ct",
)  # fmt: skip
"""What a guard against studies out of range must notice."""

_TRACER: Mapping[str, Tracer] = {"psma": "psma", "fes": "fes", "dotatate": "dotatate"}


@dataclass(frozen=True, eq=False)
class PatientB:
    """One patient; all volumes on one grid, slices ascending towards the head.

    Attributes:
        suv: float32. noise_free: the same before counts were drawn. ct_hu: float32. lesion_map: uint16, 0 and 1..n
            by descending volume: where the noise-free SUV is at least 4 because of lymphoma, 26-connected.
        organs: uint8 labels. names: label -> structure.
        findings: what else a reader would note, in words.
    """

    seed: int
    suv: Volume
    noise_free: Volume
    ct_hu: Volume
    lesion_map: Volume
    organs: Volume
    names: Mapping[int, str]
    clinical: ClinicalFactors
    findings: tuple[str, ...]
    fault: Fault | None

    def case(self) -> Case:
        """As every system sees a patient; outcomes are not known."""
        content = f"{GENERATOR}-{self.seed}-{self.suv.spacing_mm[0]:g}-{self.fault}"
        subject = Subject(f"B{self.seed:06d}", "generator B", self.clinical, None, None, content)
        return Case(subject, self.suv, self.ct_hu, self.lesion_map, Anatomy("given", self.organs, self.names))


def build(seed: int, spacing_mm: float = 4.0, *, lesions: int | None = None, fault: Fault | None = None) -> PatientB:
    """One patient from its seed: the same seed, the same bytes.

    Args:
        spacing_mm: edge of the cubic voxels. lesions: their number, drawn where None; the person, its healthy uptake
            and the scanner do not depend on it. fault: spoils the study on purpose.
    """
    person = draw_person(seed)
    body = build_body(seed, person, spacing_mm)
    uptake = draw_uptake(seed, body, _TRACER.get(fault or "", "fdg"), treated_marrow=fault == "treated_marrow")
    burden = draw_burden(seed, lesions)
    disease = grow(seed, body, burden)
    camera = draw_camera(seed)
    healthy = blurred(uptake.suv, body.organs, camera)
    clean = healthy + _blurred_excess(uptake.suv, disease, body, camera)
    clean *= np.float32(camera.scale)
    lesion_map = _truth(clean, healthy * np.float32(camera.scale), body)
    rng = stream(seed, STREAM)
    enhanced = bool(rng.random() < 0.4)
    # a hot liver (another tracer) must not starve the rest of counts
    liver = min(3.5, float(clean[body.mask("liver")].mean()))
    suv = detect(seed, clean, body.organs, camera, liver, _middle(body.mask("urinary_bladder")))
    patient = PatientB(
        seed=seed,
        suv=body.organs.with_array(suv),
        noise_free=body.organs.with_array(clean),
        ct_hu=body.organs.with_array(scan_ct(seed, body, disease, uptake.metal, enhanced)),
        lesion_map=lesion_map,
        organs=body.organs,
        names=dict(enumerate(NAMES, start=1)),
        clinical=clinical_factors(seed, burden, person.sex, _is_bulky(lesion_map)),
        findings=uptake.findings,
        fault=None,
    )
    return patient if fault is None else spoilt(patient, fault)


def _blurred_excess(healthy: Floats, disease: Disease, body: Body, camera: Camera) -> Floats:
    """What the lesions add to the scan: the point spread is linear, so each is blurred in its own box."""
    crisp = disease.share * np.maximum(disease.suv - healthy, 0)
    total = np.zeros_like(crisp)
    margin = np.ceil(3.2 * max(camera.fwhm_mm) / 2.355 * 1.6 / body.organs.spacing_mm[::-1]).astype(int)
    for box in disease.boxes:
        own = crisp[box].copy()
        crisp[box] = 0
        if not own.any():
            continue
        wide = tuple(
            slice(max(0, s.start - m), min(n, s.stop + m)) for s, m, n in zip(box, margin, crisp.shape, strict=True)
        )
        padded = np.zeros([s.stop - s.start for s in wide], dtype=np.float32)
        padded[tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))] = own
        affine = body.organs.affine.copy()
        affine[:3, 3] = body.organs.points_mm([w.start for w in wide])
        total[wide] += blurred(padded, Volume(padded, affine), camera)
    return np.asarray(total, dtype=np.float32)


def _truth(clean: Floats, healthy: Floats, body: Body) -> Volume:
    """Voxels at SUV 4 or more that would not be so without lymphoma, or of which it makes the larger part."""
    least = np.where(healthy < THRESHOLD_SUV, 0.1, 0.5) * clean
    mask = (clean >= THRESHOLD_SUV) & (clean - healthy >= least)
    return body.organs.with_array(label_lesions(mask, body.organs.voxel_volume_ml, min_volume_ml=0.0))


def _middle(mask: npt.NDArray[np.bool_]) -> Floats | None:
    return np.argwhere(mask).mean(axis=0).astype(np.float32) if mask.any() else None


def _is_bulky(lesion_map: Volume) -> bool:
    """Whether a lesion measures 7.5 cm or more along one of the axes."""
    boxes = ndimage.find_objects(lesion_map.array)
    steps = lesion_map.spacing_mm[::-1]
    return any((np.array([s.stop - s.start for s in box]) * steps).max() >= BULKY_MM for box in boxes if box)


def spoilt(patient: PatientB, fault: Fault) -> PatientB:
    """The patient marked with a fault, and the images changed where the fault needs no other physiology."""
    patient = replace(patient, fault=fault)
    if fault == "suv_times_ten":
        return replace(patient, suv=patient.suv.with_array(patient.suv.array * np.float32(10)))
    if fault in ("left_right", "head_foot"):
        axis = 2 if fault == "left_right" else 0
        return replace(
            patient,
            suv=_flipped(patient.suv, axis),
            noise_free=_flipped(patient.noise_free, axis),
            ct_hu=_flipped(patient.ct_hu, axis),
            lesion_map=_flipped(patient.lesion_map, axis),
            organs=_flipped(patient.organs, axis),
        )
    if fault == "foreign_ct":
        other = build(patient.seed + 500_009, float(patient.suv.spacing_mm[0]), lesions=0).ct_hu
        return replace(patient, ct_hu=_laid_on(other, patient.suv))
    return patient


def _flipped(volume: Volume, axis: int) -> Volume:
    """The array turned over along one of its axes under an unchanged header."""
    return volume.with_array(np.ascontiguousarray(np.flip(volume.array, axis)))


def _laid_on(other: Volume, grid: Volume) -> Volume:
    """Another patient's scan on this grid, middle on middle in plane, feet on feet; air where it ends."""
    result = np.full(grid.array.shape, -1000.0, dtype=np.float32)
    starts = [0, (other.array.shape[1] - grid.array.shape[1]) // 2, (other.array.shape[2] - grid.array.shape[2]) // 2]
    here, there = [], []
    for start, n, m in zip(starts, grid.array.shape, other.array.shape, strict=True):
        low = max(0, -start)
        high = min(n, m - start)
        here.append(slice(low, high))
        there.append(slice(low + start, high + start))
    result[tuple(here)] = other.array[tuple(there)]
    return grid.with_array(result)
