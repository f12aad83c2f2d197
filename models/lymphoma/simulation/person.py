"""Who the virtual patient is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Person", "draw_person"]


@dataclass(frozen=True)
class Person:
    """Sex, age and size, as in the Patient Study module."""

    sex: Literal["M", "F"]
    age_years: int
    height_m: float
    weight_kg: float

    @property
    def bmi(self) -> float:
        """Body mass index, kg/m2."""
        return self.weight_kg / self.height_m**2


def draw_person(rng: np.random.Generator) -> Person:
    """Age is normal (63, 13) in 18..90, the median of the large trials; body size is an assumption."""
    sex: Literal["M", "F"] = "M" if rng.random() < 0.55 else "F"
    height = float(np.clip(rng.normal(1.76 if sex == "M" else 1.63, 0.07), 1.45, 2.0))
    bmi = float(np.clip(rng.normal(25.5, 3.8), 17.5, 38.0))
    age = int(np.clip(rng.normal(63, 13), 18, 90))
    return Person(sex, age, round(height, 2), round(bmi * height**2, 1))
