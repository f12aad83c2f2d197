"""Prior uptake of the tissues: gamma, log-logistic and truncated Student draws, and other tracers' patterns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tests.generator_b.body import NAMES, number_of
from tests.generator_b.geometry import Floats

__all__ = ["MARROW", "TRACERS", "Prior", "Tracer", "draw_means"]

Tracer = Literal["fdg", "psma", "fes", "dotatate"]

MARROW = ("vertebrae_*", "sacrum", "sternum", "hip_*", "rib_*", "scapula_*", "clavicula_*", "femur_*", "humerus_*")


@dataclass(frozen=True)
class Prior:
    """One tissue group's SUV, drawn once a patient.

    Attributes:
        middle: mean of a gamma, median of a log-logistic, location of a Student draw (6 degrees of freedom).
        spread: coefficient of variation (gamma), 1/shape (log-logistic), scale (Student).
    """

    family: Literal["gamma", "loglogistic", "student"]
    middle: float
    spread: float
    low: float
    high: float
    names: tuple[str, ...]

    def draw(self, rng: np.random.Generator) -> float:
        """One value within [low, high]."""
        if self.family == "gamma":
            shape = 1 / self.spread**2
            value = rng.gamma(shape, self.middle / shape)
        elif self.family == "loglogistic":
            u = rng.uniform(0.01, 0.99)
            value = self.middle * (u / (1 - u)) ** self.spread
        else:
            value = self.middle + self.spread * rng.standard_t(6)
        return float(np.clip(value, self.low, self.high))


PRIORS = (
    Prior("loglogistic", 2.1, 0.11, 1.3, 3.4, ("liver",)),
    Prior("gamma", 1.5, 0.2, 0.8, 2.6, ("aorta", "inferior_vena_cava", "superior_vena_cava", "pulmonary_vein", "heart",
                                        "iliac_artery_*", "common_carotid_artery_*")),
    Prior("gamma", 1.75, 0.2, 0.9, 3.2, ("spleen",)),
    Prior("student", 0.68, 0.12, 0.35, 1.2, ("muscles", "iliopsoas_*", "autochthon_*", "gluteus_maximus_*")),
    Prior("student", 0.26, 0.06, 0.1, 0.5, ("subcutaneous_fat", "torso_fat")),
    Prior("gamma", 0.75, 0.2, 0.4, 1.2, ("mediastinum",)),
    Prior("gamma", 0.42, 0.22, 0.2, 0.9, ("lung_*",)),
    Prior("gamma", 9.0, 0.26, 4.5, 17.0, ("brain",)),
    Prior("gamma", 1.25, 0.2, 0.7, 2.2, ("spinal_cord",)),
    Prior("gamma", 2.8, 0.25, 1.6, 5.0, ("kidney_*",)),
    Prior("loglogistic", 14.0, 0.42, 3.0, 60.0, ("urinary_bladder",)),
    Prior("gamma", 0.9, 0.3, 0.3, 2.0, ("gallbladder",)),
    Prior("gamma", 1.55, 0.2, 0.9, 2.6, ("pancreas",)),
    Prior("gamma", 2.2, 0.3, 1.0, 5.0, ("stomach",)),
    Prior("gamma", 1.9, 0.3, 0.9, 5.0, ("duodenum",)),
    Prior("loglogistic", 1.6, 0.22, 0.8, 4.0, ("small_bowel",)),
    Prior("loglogistic", 1.5, 0.22, 0.7, 4.0, ("colon",)),
    Prior("gamma", 1.7, 0.25, 0.9, 3.5, ("esophagus",)),
    Prior("gamma", 3.7, 0.42, 1.4, 10.0, ("tonsil_*",)),
    Prior("gamma", 1.9, 0.3, 0.8, 4.5, ("parotid_gland_*", "submandibular_gland_*")),
    Prior("gamma", 1.3, 0.3, 0.7, 3.0, ("thyroid_gland_*",)),
    Prior("gamma", 2.0, 0.25, 1.0, 4.0, ("adrenal_gland_*",)),
    Prior("gamma", 1.9, 0.3, 0.9, 5.0, ("prostate", "uterus")),
    Prior("gamma", 0.9, 0.2, 0.4, 1.5, ("skull",)),
    Prior("gamma", 0.5, 0.2, 0.2, 0.8, ("trachea",)),
)  # fmt: skip

MARROW_SHARE: Mapping[str, float] = {
    "vertebrae_*": 1.0, "sacrum": 0.9, "sternum": 0.9, "hip_*": 0.8, "rib_*": 0.75, "scapula_*": 0.7,
    "clavicula_*": 0.65, "femur_*": 0.5, "humerus_*": 0.5,
}  # fmt: skip
"""Red marrow of a bone relative to the spine's."""

TRACERS: Mapping[Tracer, Mapping[str, float]] = {
    "fdg": {},
    "psma": {"brain": 0.15, "parotid_gland_*": 17.0, "submandibular_gland_*": 16.0, "liver": 5.5, "spleen": 7.0,
             "kidney_*": 38.0, "duodenum": 11.0, "small_bowel": 6.0, "heart": 1.3, "stomach": 2.5, "tonsil_*": 2.0},
    "fes": {"brain": 0.6, "liver": 15.0, "gallbladder": 24.0, "small_bowel": 7.0, "duodenum": 10.0, "kidney_*": 4.5,
            "uterus": 6.0, "heart": 1.6, "tonsil_*": 1.2, "spleen": 1.6},
    "dotatate": {"brain": 0.15, "spleen": 24.0, "kidney_*": 16.0, "adrenal_gland_*": 9.0, "liver": 7.0,
                 "pancreas": 4.5, "small_bowel": 3.5, "heart": 0.9, "thyroid_gland_*": 3.0, "tonsil_*": 1.5},
}  # fmt: skip
"""SUV that replaces FDG's in a study with another tracer, in the range of the clinic's everyday reading [A]."""


def draw_means(rng: np.random.Generator, tracer: Tracer) -> tuple[Floats, float]:
    """SUV by label, shape (labels + 1,), index 0 the air; and the SUV of the spine's marrow."""
    means: npt.NDArray[np.float32] = np.zeros(len(NAMES) + 1, dtype=np.float32)
    build = float(np.clip(np.exp(0.12 * rng.standard_t(8)), 0.7, 1.4))
    for prior in PRIORS:
        common = 1.0 if prior.names[0] in ("brain", "urinary_bladder") else build**0.6
        value = prior.draw(rng) * common
        for label in number_of(*prior.names):
            means[label] = value * np.clip(rng.normal(1, 0.03), 0.9, 1.1)
    marrow = Prior("loglogistic", 1.3, 0.14, 0.7, 2.6, MARROW).draw(rng) * build**0.6
    for name, share in MARROW_SHARE.items():
        means[list(number_of(name))] = marrow * share
    for name, value in TRACERS[tracer].items():
        means[list(number_of(name))] = value * float(np.exp(rng.laplace(0, 0.12)))
    return means, marrow
