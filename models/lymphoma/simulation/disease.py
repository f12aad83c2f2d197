"""The disease of a virtual patient: how many lesions, where, how large, how avid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.person import Person
from lymphoma.simulation.spread import Spread, draw_spread, stations_of
from lymphoma.simulation.stations import PLACES, Station

__all__ = ["Disease", "LesionPlan", "draw_disease"]

Floats = npt.NDArray[np.float64]

MOST_LESIONS = 61
"""The largest number in 90 patients (PMC8082306); the mean there was 12."""
MEDIAN_ML, LOG_SD_ML = 285.0, 1.4
LEAST_ML, USUAL_ML, MOST_ML = 3.0, 1800.0, 3200.0
"""The total is never less than the first; beyond the second, the 90th percentile, it nears the third, for a body holds
no more."""
OF_EXTENT = 0.65
"""Correlation of the logarithm of the total with the extent of the spread [A]."""
SMALLEST_ML = 0.4
"""A lesion below a few voxels of 4 mm is no finding [A]."""
HOTTEST_SUV, HOTTEST_LOG_SD = 13.0, 0.5
"""Core of the hottest lesion; as SUVpeak it comes to a median of about 14."""
FURTHER_LESIONS, FURTHER_SHAPE = 8.8, 1.2
"""Mean and shape of the negative binomial number of lesions beyond one per involved site; the mean in all is 13."""
BULK = ("paraaortic", "mesenteric", "mediastinal")


@dataclass(frozen=True)
class LesionPlan:
    """One lesion to be placed.

    Attributes:
        station: name of the nodal station or organ.
        volume_ml: volume of what shows SUV 4 and more after the scanner's blur; a necrotic core is not in it.
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
        marrow_ml, spleen_ml: the volume infiltrated.
        primary: the extranodal organ in which it began; None for nodal disease.
    """

    lesions: tuple[LesionPlan, ...]
    marrow_suv: float | None = None
    spleen_suv: float | None = None
    marrow_ml: float = 0.0
    spleen_ml: float = 0.0
    primary: str | None = None

    @property
    def total_ml(self) -> float:
        """Planned volume of everything."""
        return sum(lesion.volume_ml for lesion in self.lesions) + self.marrow_ml + self.spleen_ml

    @property
    def sites(self) -> tuple[str, ...]:
        """Involved lymphatic stations and organs (diffuse marrow is "bone"), each once, sorted."""
        found = {PLACES[lesion.station].site for lesion in self.lesions}
        if self.marrow_suv is not None:
            found.add("bone")
        if self.spleen_suv is not None:
            found.add("spleen")
        return tuple(sorted(found))


def draw_disease(rng: np.random.Generator, person: Person, count: int | None) -> Disease:
    """Number, places, volumes and uptake.

    The total is log-normal with median 290 mL and log-SD 1.4 in 3..3200 mL, shared by a Dirichlet(0.5) and
    limited by what each station can hold; what a station cannot hold goes to the others. Number and total both follow
    the extent of the spread. The hottest lesion's uptake is log-normal with log-SD 0.5 in 5..45.

    Args:
        count: number of lesions, then without diffuse infiltration; None draws everything.
    """
    spread = draw_spread(rng, person)
    total_ml = _draw_total(rng, spread.extent)
    if count == 0:
        return Disease(())
    diffuse = Disease(()) if count is not None else _draw_diffuse(rng, spread, total_ml)
    sites = [site for site in spread.sites if not _taken(diffuse, site)]
    if not sites:
        return diffuse
    slots = _draw_slots(rng, spread, sites, person, count)
    rest_ml = total_ml - diffuse.marrow_ml - diffuse.spleen_ml
    volumes = np.sort(_split(rng, rest_ml, len(slots)))[::-1]
    slots, volumes = _house(rng, slots, volumes, spread.primary, may_add=count is None)
    lesions = _draw_lesions(rng, slots, volumes)
    return Disease(
        tuple(sorted(lesions, key=lambda lesion: -lesion.volume_ml)),
        diffuse.marrow_suv,
        diffuse.spleen_suv,
        diffuse.marrow_ml,
        diffuse.spleen_ml,
        spread.primary,
    )


def _draw_total(rng: np.random.Generator, extent: float) -> float:
    """The whole volume, mL; its logarithm correlates with the extent."""
    drawn = float(MEDIAN_ML * np.exp(LOG_SD_ML * (OF_EXTENT * extent + np.sqrt(1 - OF_EXTENT**2) * rng.normal())))
    if drawn > USUAL_ML:
        span = MOST_ML - USUAL_ML
        drawn = USUAL_ML + span * -float(np.expm1(-(drawn - USUAL_ML) / span))
    return max(drawn, LEAST_ML)


def _draw_diffuse(rng: np.random.Generator, spread: Spread, total_ml: float) -> Disease:
    """Diffuse infiltration of marrow in 3 of 10 patients with bone disease, of the spleen in 3 of 10 with the spleen,
    where the total leaves room for it [A]."""
    marrow_ml = spleen_ml = 0.0
    draws = rng.random(4)
    suvs = np.exp(rng.normal(np.log([7.0, 7.5]), 0.25)).clip(5.0, 14.0)
    if "bone" in spread.sites and spread.primary != "bone" and total_ml > 300 and draws[0] < 0.4:
        marrow_ml = min(150 + 750 * float(draws[1]), 0.6 * total_ml)
    if "spleen" in spread.sites and total_ml > 500 and draws[2] < 0.5:
        spleen_ml = SPLEEN_ML
    return Disease(
        (),
        round(float(suvs[0]), 2) if marrow_ml else None,
        round(float(suvs[1]), 2) if spleen_ml else None,
        round(marrow_ml, 1),
        spleen_ml,
        spread.primary,
    )


SPLEEN_ML = 105.0
"""Volume of the generator's spleen above SUV 4 when all of it is infiltrated."""


def _taken(diffuse: Disease, site: str) -> bool:
    return (site == "bone" and diffuse.marrow_suv is not None) or (site == "spleen" and diffuse.spleen_suv is not None)


def _draw_slots(
    rng: np.random.Generator, spread: Spread, sites: list[str], person: Person, count: int | None
) -> list[Station]:
    """One station per lesion: each site has at least one, further ones fall where lesions are frequent."""
    mean = FURTHER_LESIONS * np.exp(0.6 * spread.extent - 0.18)
    more = int(rng.negative_binomial(FURTHER_SHAPE, FURTHER_SHAPE / (FURTHER_SHAPE + mean)))
    given = count is not None
    count = min(len(sites) + more, MOST_LESIONS) if count is None else count
    if count < len(sites):
        others = [site for site in sites if site != spread.primary]
        kept = [sites[0]] if not others else [others[n] for n in rng.permutation(len(others))]
        sites = ([spread.primary] if spread.primary in sites else []) + kept
        sites = sites[:count]
    stations = [station for site in sites for station in stations_of(site, person.sex)]
    weights = np.array([station.weight for station in stations])
    clumping = rng.gamma(1.5, 1.0, len(stations))
    draws = rng.random(len(sites) + count)
    chosen = []
    for rank, site in enumerate(sites):
        chosen.append(_pick(draws[rank], np.where([station.site == site for station in stations], weights, 0.0)))
    room = np.array([station.most for station in stations]) - np.bincount(chosen, minlength=len(stations))
    slots = [stations[n] for n in chosen]
    if not given:
        count = min(count, len(slots) + int(room.sum()))
    while len(slots) < count:
        chances = np.where(room > 0, weights * clumping, 0.0)
        if not chances.any():
            # every site is full: the disease runs on along the great vessels
            slots.append(PLACES[BULK[len(slots) % 2]])
            continue
        pick = _pick(draws[len(slots)], chances)
        room[pick] -= 1
        slots.append(stations[pick])
    return slots


def _pick(draw: float, chances: Floats) -> int:
    """The index that a uniform draw in 0..1 chooses; as ``Generator.choice``, without its checks."""
    edges = np.cumsum(chances)
    return int(np.searchsorted(edges, draw * edges[-1], side="right"))


def _split(rng: np.random.Generator, total_ml: float, count: int) -> Floats:
    """Dirichlet(0.5) shares of the total, none below the smallest lesion."""
    total_ml = max(total_ml, 1.5 * SMALLEST_ML * count)
    return SMALLEST_ML + rng.dirichlet(np.full(count, 0.5)) * (total_ml - SMALLEST_ML * count)


def _house(
    rng: np.random.Generator, slots: list[Station], volumes: Floats, primary: str | None, *, may_add: bool
) -> tuple[list[Station], Floats]:
    """Deals volumes (descending) to slots that can hold them; what finds no room goes to the others.

    The largest lesion lies in the primary organ. Where all stations together are too small, small lesions move to the
    stations that hold bulk, or one more lesion there takes the rest.
    """
    slots = list(slots)
    limits = np.array([station.most_ml for station in slots])
    liking, draws = limits**0.6, rng.random(len(slots))
    dealt = np.zeros(len(slots))
    over = 0.0
    for rank, volume in enumerate(volumes):
        open_ = dealt == 0
        wanted = open_ & (limits >= volume)
        if rank == 0 and primary is not None:
            home = np.array([station.site == primary for station in slots])
            wanted = home & open_ if (home & open_).any() else wanted
        if wanted.any():
            chances = np.where(wanted, liking, 0.0)
            slot = _pick(draws[rank], chances)
        else:
            slot = int(np.argmax(np.where(open_, limits, -1.0)))
        dealt[slot] = min(volume, limits[slot])
        over += float(volume - dealt[slot])
    while over > (limits - dealt).sum() + 1e-6:
        if may_add:
            slots.append(_more_room(rng, slots))
            dealt = np.append(dealt, 0.0)
        else:
            order = np.argsort(dealt)
            small = [n for n in order if slots[n].name not in BULK and slots[n].site != primary]
            if not small:
                break
            slots[small[0]] = PLACES[BULK[int(rng.integers(len(BULK)))]]
        limits = np.array([station.most_ml for station in slots])
    room = limits - dealt
    if over > 0 and room.sum() > 0:
        dealt += room * min(over / float(room.sum()), 1.0)
    # a lesion added for the rest of a total may be small
    return slots, np.maximum(dealt, SMALLEST_ML)


def _more_room(rng: np.random.Generator, slots: list[Station]) -> Station:
    """The involved station that can hold most, if that is much; else one of those that hold bulk."""
    involved = [station for station in slots if slots.count(station) < station.most and station.most_ml >= 100]
    if involved:
        return max(involved, key=lambda station: station.most_ml)
    return PLACES[BULK[int(rng.integers(len(BULK)))]]


def _draw_lesions(rng: np.random.Generator, slots: list[Station], volumes: Floats) -> list[LesionPlan]:
    count = len(slots)
    hottest = float(np.clip(HOTTEST_SUV * np.exp(rng.normal(0.0, HOTTEST_LOG_SD)), 5.0, 45.0))
    relative = 0.4 + 0.55 * rng.beta(2.0, 1.3, count)
    # blur takes the maximum from small lesions, so the hottest is mostly one of the larger
    relative[int(rng.choice(count, p=volumes**0.7 / (volumes**0.7).sum()))] = 1.0
    suvs = np.maximum(relative * hottest, 4.8)
    textures = rng.uniform(0.15, 0.35, count)
    necrotic = (volumes > 100) & (rng.random(count) < 0.2)
    anchors = rng.integers(0, 1 << 16, count)
    main: dict[str, int] = {}
    lesions = []
    for n, station in enumerate(slots):
        # nodes gather on one side of the body
        main.setdefault(station.name, 1 if rng.random() < 0.5 else -1)
        side = main[station.name] * (1 if rng.random() < 0.72 else -1)
        lesions.append(
            LesionPlan(
                station=station.name,
                volume_ml=round(float(volumes[n]), 2),
                suv=round(float(suvs[n]), 2),
                texture=round(float(textures[n]), 2),
                necrotic=bool(necrotic[n]),
                anchor=int(anchors[n]) % len(station.anchors),
                side=1 if side > 0 else -1,
            )
        )
    return lesions
