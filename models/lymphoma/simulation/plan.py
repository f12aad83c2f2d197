"""The plan of a virtual patient: all that is drawn at random before anything is built.

Ranges marked [A] are assumptions of the generator, not measurements; the others follow the published values named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lymphoma.simulation.stations import EXTRANODAL, STATIONS, Station

__all__ = ["LesionPlan", "PatientPlan", "draw_patient"]

GENERATOR = "A1"


@dataclass(frozen=True)
class LesionPlan:
    """One lesion to be placed.

    Attributes:
        station: name of the nodal station or organ.
        volume_ml: volume inside its surface, which after the scanner's blur is the SUV 4 surface.
        suv: uptake of its core before blur, g/mL.
        texture: coefficient of variation of uptake inside.
        necrotic: a core without uptake.
        anchor: which of the station's anchor points it sits at.
        side: +1 patient's left, -1 right, for paired stations.
    """

    station: str
    volume_ml: float
    suv: float
    texture: float
    necrotic: bool
    anchor: int
    side: Literal[-1, 1]


@dataclass(frozen=True)
class PatientPlan:
    """Who the virtual patient is and how he or she was scanned.

    Attributes:
        seed: the seed that gives everything, later draws included.
        weight_kg, height_m, age_years, sex: as in the Patient Study module.
        injected_mbq: activity at injection, in MBq. uptake_minutes: injection to the start of the scan.
        arms_up: arms beside the head, else along the body.
        psf_fwhm_mm: the scanner's blur. liver_cov: noise as coefficient of variation in the liver.
        breath_mm: how far the diaphragm lies lower in the CT than in the PET.
        uptake_scale: one factor common to all soft organs of this patient.
        lesions: largest first.
    """

    seed: int
    sex: Literal["M", "F"]
    age_years: int
    height_m: float
    weight_kg: float
    injected_mbq: float
    uptake_minutes: float
    arms_up: bool
    psf_fwhm_mm: float
    liver_cov: float
    breath_mm: float
    uptake_scale: float
    lesions: tuple[LesionPlan, ...]

    @property
    def bmi(self) -> float:
        """Body mass index, kg/m2."""
        return self.weight_kg / self.height_m**2


def draw_patient(seed: int, *, lesions: int | None = None) -> PatientPlan:
    """Draws the plan of one patient; the same arguments give the same plan.

    Age is normal (63, 13) in 18..90, the median of the large trials. Body size, dose (about 4 MBq/kg), uptake time
    (normal 62, 5 min), blur (normal 6.0, 0.7 mm) and liver noise (7 to 14 %) are [A].

    Args:
        seed: not negative.
        lesions: their number; None draws 1 + negative binomial with mean 8, at most 25 [A].
    """
    rng = np.random.default_rng([seed, 1])
    sex: Literal["M", "F"] = "M" if rng.random() < 0.55 else "F"
    height = float(np.clip(rng.normal(1.76 if sex == "M" else 1.63, 0.07), 1.45, 2.0))
    bmi = float(np.clip(rng.normal(25.5, 3.8), 17.5, 38.0))
    weight = round(bmi * height**2, 1)
    return PatientPlan(
        seed=seed,
        sex=sex,
        age_years=int(np.clip(rng.normal(63, 13), 18, 90)),
        height_m=round(height, 2),
        weight_kg=weight,
        injected_mbq=round(weight * float(rng.uniform(3.5, 4.5)), 1),
        uptake_minutes=round(float(np.clip(rng.normal(62, 5), 50, 80)), 1),
        arms_up=bool(rng.random() < 0.7),
        psf_fwhm_mm=round(float(np.clip(rng.normal(6.0, 0.7), 4.5, 7.5)), 2),
        liver_cov=round(float(rng.uniform(0.07, 0.14)), 3),
        breath_mm=round(float(np.clip(rng.normal(0.0, 4.0), -8, 8)), 1),
        uptake_scale=round(float(np.exp(rng.normal(0.0, 0.12))), 3),
        lesions=_draw_lesions(rng, lesions),
    )


def _draw_lesions(rng: np.random.Generator, count: int | None) -> tuple[LesionPlan, ...]:
    """Number, places, volumes and uptake.

    The sum of volumes is log-normal with median 280 mL and log-SD 1.4, shared by a Dirichlet(0.7) and then limited by
    what each station can hold; the hottest lesion's uptake is log-normal with median 12 and log-SD 0.4 in 5..20 [A].
    """
    if count is None:
        count = min(1 + int(rng.negative_binomial(1.5, 1.5 / (1.5 + 8.0))), 25)
    if count == 0:
        return ()
    total_ml = float(np.clip(np.exp(rng.normal(np.log(280.0), 1.4)), 6.0 * count, 2300.0))
    volumes = np.sort(rng.dirichlet(np.full(count, 0.7)) * total_ml)[::-1]
    hottest = float(np.clip(np.exp(rng.normal(np.log(12.0), 0.4)), 5.5, 20.0))
    places = [_draw_place(rng, extranodal=(n > 0 and n == count - 1)) for n in range(count)]
    drawn = []
    for n, (station, volume) in enumerate(zip(places, volumes, strict=True)):
        suv = hottest if n == 0 else max(5.0, hottest * float(rng.uniform(0.5, 1.0)))
        volume_ml = float(np.clip(volume, 0.8, station.most_ml))
        drawn.append(
            LesionPlan(
                station=station.name,
                volume_ml=round(volume_ml, 2),
                suv=round(suv, 2),
                texture=round(float(rng.uniform(0.10, 0.30)), 2),
                necrotic=bool(volume_ml > 100 and rng.random() < 0.2),
                anchor=int(rng.integers(len(station.anchors))),
                side=1 if rng.random() < 0.5 else -1,
            )
        )
    return tuple(sorted(drawn, key=lambda lesion: -lesion.volume_ml))


def _draw_place(rng: np.random.Generator, *, extranodal: bool) -> Station:
    choice = EXTRANODAL if extranodal else STATIONS
    weights = np.array([station.weight for station in choice])
    return choice[int(rng.choice(len(choice), p=weights / weights.sum()))]
