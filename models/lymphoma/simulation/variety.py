"""How much the scans of a set of virtual patients differ: one clean scanner, hospitals, or all that can go wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["HOSPITAL", "PLAIN", "TRAINING", "Range", "Variety"]


@dataclass(frozen=True)
class Range:
    """A quantity drawn between two limits: uniform, or normal and clipped to them where an SD is given."""

    low: float
    high: float
    mean: float = 0.0
    sd: float | None = None

    def draw(self, rng: np.random.Generator, digits: int = 3) -> float:
        """One value, rounded."""
        drawn = rng.uniform(self.low, self.high) if self.sd is None else rng.normal(self.mean, self.sd)
        return round(float(np.clip(drawn, self.low, self.high)), digits)


_NONE = Range(0.0, 0.0)


@dataclass(frozen=True)
class Variety:
    """Ranges and probabilities of a scan. What is 0 or (0, 0) by default does not happen.

    Attributes:
        name: as written into the truth.
        scanners: names in :data:`lymphoma.simulation.vendors.SCANNERS`, each as likely.
        mbq_per_kg: injected activity.
        uptake_minutes: injection to the start of the scan.
        arms_up: probability of arms beside the head.
        psf_fwhm_mm: blur of the PET at the centre of its field.
        psf_growth: by how much of itself the blur is wider 200 mm off the centre.
        overshoots: probability of an edge-enhancing reconstruction, where the scanner offers one.
        overshoot: height of its overshoot (Gibbs) at the edge of a large object, as a share of the step.
        liver_cov: noise as coefficient of variation in the liver.
        noise_fwhm_mm: correlation of the noise, as width of the kernel that made it from white noise.
        noise_rise: by how much of itself the noise is higher in the depth of the body, and between beds.
        suv_scale: calibration: image over true SUV.
        respiration_mm: amplitude of the diaphragm while the PET is taken; its image is the mean over the cycle.
        breath_mm: how far the diaphragm lies lower in the CT than on average in the PET.
        misregistration_mm: length of the shift of the CT against the PET, in any direction.
        skull_base: probability of a scan from the skull base, else from the vertex, to mid-thigh.
        partial: probability of a scan of only a part of the body. partial_mm: its length.
        couch: probability that the couch is in the CT's field.
        ct_narrow: probability of a CT reconstructed over 500 mm only, which cuts off arms and wide bodies.
        ct_venous, ct_oral: probability of contrast in the vessels (portal venous phase), in the bowel.
        ct_noise_hu: noise in a body of middling size. ct_offset_hu: added to every CT number.
        hip_metal: probability of a hip prosthesis after 60, a tenth of it before. dental_metal: of fillings.
        ct_random: probability that each tissue has a random CT number.
        ct_dropped: probability that the CT holds nothing (air, or one value). ct_displaced: that it lies elsewhere.
    """

    name: str
    scanners: tuple[str, ...] = ("nodal",)
    mbq_per_kg: Range = Range(3.5, 4.5)
    uptake_minutes: Range = Range(50.0, 80.0, 62.0, 5.0)
    arms_up: float = 0.7
    psf_fwhm_mm: Range = Range(4.5, 7.5, 6.0, 0.7)
    psf_growth: Range = _NONE
    overshoots: float = 0.0
    overshoot: Range = Range(0.10, 0.25)
    liver_cov: Range = Range(0.07, 0.14)
    noise_fwhm_mm: Range = Range(5.5, 5.5)
    noise_rise: Range = _NONE
    suv_scale: Range = Range(1.0, 1.0)
    respiration_mm: Range = _NONE
    breath_mm: Range = Range(-8.0, 8.0, 0.0, 4.0)
    misregistration_mm: Range = _NONE
    skull_base: float = 0.0
    partial: float = 0.0
    partial_mm: Range = Range(350.0, 750.0)
    couch: float = 1.0
    ct_narrow: float = 0.0
    ct_venous: float = 0.0
    ct_oral: float = 0.0
    ct_noise_hu: Range = Range(13.0, 13.0)
    ct_offset_hu: Range = _NONE
    hip_metal: float = 0.0
    dental_metal: float = 0.0
    ct_random: float = 0.0
    ct_dropped: float = 0.0
    ct_displaced: float = 0.0


_MAKERS = ("biograph", "vision", "discovery", "ingenuity", "umi")

PLAIN = Variety("plain")
"""One clean scanner; what differs is the patient."""

HOSPITAL = Variety(
    "hospital",
    scanners=_MAKERS,
    mbq_per_kg=Range(2.8, 5.0),
    uptake_minutes=Range(50.0, 85.0, 63.0, 7.0),
    arms_up=0.75,
    psf_fwhm_mm=Range(4.5, 7.5, 6.0, 0.7),
    psf_growth=Range(0.0, 0.25),
    overshoots=0.4,
    overshoot=Range(0.10, 0.18),
    liver_cov=Range(0.06, 0.16),
    noise_fwhm_mm=Range(4.5, 7.0),
    noise_rise=Range(0.0, 0.3),
    suv_scale=Range(0.93, 1.07, 1.0, 0.03),
    respiration_mm=Range(2.0, 20.0, 10.0, 5.0),
    breath_mm=Range(-12.0, 12.0, 0.0, 5.0),
    misregistration_mm=Range(0.0, 5.0),
    skull_base=0.5,
    ct_narrow=0.35,
    ct_venous=0.3,
    ct_oral=0.25,
    ct_noise_hu=Range(9.0, 25.0),
    ct_offset_hu=Range(-4.0, 4.0),
    hip_metal=0.10,
    dental_metal=0.35,
)
"""Scanners of several makers and clinical irregularities, as a hospital sees them; nothing is broken [A]."""

TRAINING = Variety(
    "training",
    scanners=("nodal", *_MAKERS),
    mbq_per_kg=Range(2.0, 6.0),
    uptake_minutes=Range(45.0, 90.0, 63.0, 10.0),
    arms_up=0.6,
    psf_fwhm_mm=Range(4.0, 9.0),
    psf_growth=Range(0.0, 0.4),
    overshoots=0.6,
    overshoot=Range(0.10, 0.25),
    liver_cov=Range(0.05, 0.25),
    noise_fwhm_mm=Range(3.5, 8.0),
    noise_rise=Range(0.0, 0.5),
    suv_scale=Range(0.7, 1.4),
    respiration_mm=Range(0.0, 20.0, 10.0, 5.0),
    breath_mm=Range(-20.0, 20.0, 0.0, 8.0),
    misregistration_mm=Range(0.0, 15.0),
    skull_base=0.4,
    partial=0.15,
    couch=0.85,
    ct_narrow=0.5,
    ct_venous=0.3,
    ct_oral=0.3,
    ct_noise_hu=Range(5.0, 60.0),
    ct_offset_hu=Range(-25.0, 25.0),
    hip_metal=0.25,
    dental_metal=0.5,
    ct_random=0.2,
    ct_dropped=0.05,
    ct_displaced=0.05,
)
"""All randomisation that a network should learn to bear, faults of the CT included [A]."""
