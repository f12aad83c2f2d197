"""The disease of a virtual patient: how many lesions, where, how large, how avid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lymphoma.simulation.person import Person
from lymphoma.simulation.stations import EXTRANODAL, STATIONS, Station

__all__ = ["Disease", "LesionPlan", "draw_disease"]


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
class Disease:
    """All that is lymphoma.

    Attributes:
        lesions: largest first.
        marrow_suv, spleen_suv: uptake of diffusely infiltrated marrow or spleen, g/mL; None without infiltration.
    """

    lesions: tuple[LesionPlan, ...]
    marrow_suv: float | None = None
    spleen_suv: float | None = None


def draw_disease(rng: np.random.Generator, person: Person, count: int | None) -> Disease:
    """Number, places, volumes and uptake.

    The sum of volumes is log-normal with median 280 mL and log-SD 1.4, shared by a Dirichlet(0.7) and then limited by
    what each station can hold; the hottest lesion's uptake is log-normal with median 12 and log-SD 0.4 in 5..20 [A].

    Args:
        count: number of lesions; None draws it.
    """
    if count is None:
        count = min(1 + int(rng.negative_binomial(1.5, 1.5 / (1.5 + 8.0))), 25)
    if count == 0:
        return Disease(())
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
    return Disease(tuple(sorted(drawn, key=lambda lesion: -lesion.volume_ml)))


def _draw_place(rng: np.random.Generator, *, extranodal: bool) -> Station:
    choice = EXTRANODAL if extranodal else STATIONS
    weights = np.array([station.weight for station in choice])
    return choice[int(rng.choice(len(choice), p=weights / weights.sum()))]
