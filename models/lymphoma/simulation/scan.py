"""How a virtual patient was scanned: dose, times, position, resolution, noise, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.person import Person
from lymphoma.simulation.protocol import Protocol
from lymphoma.simulation.variety import HOSPITAL, PLAIN, TRAINING, Variety
from lymphoma.simulation.vendors import SCANNERS, ScannerModel

__all__ = ["HOSPITAL", "PLAIN", "TRAINING", "CtScan", "Scan", "Variety", "draw_scan"]

MetalSite = Literal["hip_left", "hip_right", "teeth"]
# ends of the reference body as in lymphoma.simulation.frame, which stands above this module
_VERTEX_MM, _SKULL_BASE_MM, _MID_THIGH_MM = 830.0, 712.0, -210.0
NARROW_FIELD_MM = 500.0


@dataclass(frozen=True)
class CtScan:
    """The CT of an examination.

    Attributes:
        couch: the couch is in the field. noise_hu: noise in a body of middling size.
        offset_hu: added to every CT number. offset_mm: where the CT shows what the PET shows at 0, (x, y, z).
        field_mm: diameter of the reconstructed circle, None without a limit.
        venous, oral: contrast in vessels and organs (portal venous phase), in stomach and bowel.
        metal: where there is metal.
        random: every tissue has a random CT number.
        fault: "air" or "constant", the CT holds nothing; "displaced", it lies elsewhere, as ``offset_mm`` tells.
    """

    couch: bool = True
    noise_hu: float = 13.0
    offset_hu: float = 0.0
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    field_mm: float | None = None
    venous: bool = False
    oral: bool = False
    metal: tuple[MetalSite, ...] = ()
    random: bool = False
    fault: Literal["air", "constant", "displaced"] | None = None


@dataclass(frozen=True)
class Scan:
    """The examination.

    Attributes:
        injected_mbq: activity at injection, in MBq. uptake_minutes: injection to the start of the scan.
        arms_up: arms beside the head, else along the body.
        psf_fwhm_mm: the PET's blur at the centre of its field. liver_cov: noise as coefficient of variation in the
            liver.
        breath_mm: how far the diaphragm lies lower in the CT than in the PET.
        scanner: name of the model, in :data:`lymphoma.simulation.vendors.SCANNERS`.
        covers_mm: lower and upper end of the field of view, as z of the reference body.
        psf_growth: by how much of itself the blur is wider 200 mm off the centre.
        overshoot: of an edge-enhancing reconstruction at a plane edge, as a share of the step; 0 without.
        noise_fwhm_mm: correlation of the noise. noise_rise: how much higher it is deep in the body and between beds.
        suv_scale: calibration: image over true SUV; it scales everything, the lesions' SUV 4 surface included.
        respiration_mm: amplitude of the diaphragm during the PET; 0 is held breath.
        ct: the CT.
    """

    injected_mbq: float
    uptake_minutes: float
    arms_up: bool
    psf_fwhm_mm: float
    liver_cov: float
    breath_mm: float
    scanner: str = "nodal"
    covers_mm: tuple[float, float] = (_MID_THIGH_MM, _VERTEX_MM)
    psf_growth: float = 0.0
    overshoot: float = 0.0
    noise_fwhm_mm: float = 5.5
    noise_rise: float = 0.0
    suv_scale: float = 1.0
    respiration_mm: float = 0.0
    ct: CtScan = CtScan()

    @property
    def model(self) -> ScannerModel:
        """The scanner."""
        return SCANNERS[self.scanner]

    @property
    def protocol(self) -> Protocol:
        """The scanner's own grids, the CT over the field that was reconstructed."""
        return replace(self.model.protocol, ct_spacing_mm=self.model.ct_spacing_mm(self.ct.field_mm))


def draw_scan(rng: np.random.Generator, person: Person, variety: Variety) -> Scan:
    """Draws the examination; all is independent of the disease, and of the person but for dose and hip prosthesis."""
    dose = variety.mbq_per_kg.draw(rng, 6)
    scan = Scan(
        injected_mbq=round(person.weight_kg * dose, 1),
        uptake_minutes=variety.uptake_minutes.draw(rng, 1),
        arms_up=bool(rng.random() < variety.arms_up),
        psf_fwhm_mm=variety.psf_fwhm_mm.draw(rng, 2),
        liver_cov=variety.liver_cov.draw(rng),
        breath_mm=variety.breath_mm.draw(rng, 1),
    )
    scanner = variety.scanners[int(rng.integers(len(variety.scanners)))]
    enhances = rng.random() < variety.overshoots and SCANNERS[scanner].models_psf
    overshoot = variety.overshoot.draw(rng)
    return replace(
        scan,
        scanner=scanner,
        covers_mm=_draw_cover(rng, variety),
        psf_growth=variety.psf_growth.draw(rng),
        overshoot=overshoot if enhances else 0.0,
        noise_fwhm_mm=variety.noise_fwhm_mm.draw(rng, 2),
        noise_rise=variety.noise_rise.draw(rng),
        suv_scale=variety.suv_scale.draw(rng),
        respiration_mm=variety.respiration_mm.draw(rng, 1),
        ct=_draw_ct(rng, person, variety),
    )


def _draw_cover(rng: np.random.Generator, variety: Variety) -> tuple[float, float]:
    """Whole body, skull base to mid-thigh (part of the brain is seen), or a part with its ends anywhere."""
    base, partial = rng.random() < variety.skull_base, rng.random() < variety.partial
    length, place = variety.partial_mm.draw(rng, 1), rng.random()
    if partial:
        low = _MID_THIGH_MM + place * (_VERTEX_MM - _MID_THIGH_MM - length)
        return round(low, 1), round(low + length, 1)
    return _MID_THIGH_MM, _SKULL_BASE_MM if base else _VERTEX_MM


def _draw_ct(rng: np.random.Generator, person: Person, variety: Variety) -> CtScan:
    draws = rng.random(8)
    way = rng.normal(size=3)
    way /= np.linalg.norm(way)
    shift_mm = variety.misregistration_mm.draw(rng)
    fault: Literal["air", "constant", "displaced"] | None = None
    if draws[0] < variety.ct_dropped:
        fault = "air" if draws[0] < variety.ct_dropped / 2 else "constant"
    elif draws[0] < variety.ct_dropped + variety.ct_displaced:
        fault = "displaced"
        shift_mm += float(rng.uniform(30.0, 120.0))
    hips = variety.hip_metal * (1.0 if person.age_years > 60 else 0.1)
    sides: tuple[MetalSite, ...] = ("hip_left", "hip_right") if draws[1] < 0.2 * hips else ("hip_left",)
    if 0.6 * hips <= draws[1]:
        sides = ("hip_right",)
    teeth: tuple[MetalSite, ...] = ("teeth",)
    return CtScan(
        couch=bool(draws[2] < variety.couch),
        noise_hu=variety.ct_noise_hu.draw(rng, 1),
        offset_hu=variety.ct_offset_hu.draw(rng, 1),
        offset_mm=_offset(way, shift_mm),
        field_mm=NARROW_FIELD_MM if draws[3] < variety.ct_narrow else None,
        venous=bool(draws[4] < variety.ct_venous),
        oral=bool(draws[5] < variety.ct_oral),
        metal=(sides if draws[1] < hips else ()) + (teeth if draws[6] < variety.dental_metal else ()),
        random=bool(draws[7] < variety.ct_random),
        fault=fault,
    )


def _offset(way: npt.NDArray[np.float64], length_mm: float) -> tuple[float, float, float]:
    x, y, z = (round(float(part) * length_mm, 2) + 0.0 for part in way)
    return x, y, z
