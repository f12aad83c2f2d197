"""Which sites of a virtual patient are involved: a spread that is contiguous, and wider in some than in others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import norm

from lymphoma.simulation.person import Person
from lymphoma.simulation.stations import EXTRANODAL, PRIMARY_SHARE, REGIONS, SITE_FREQUENCY, STATIONS, Station

__all__ = ["Spread", "draw_spread", "stations_of"]

PRIMARY_EXTRANODAL = 0.32
"""Share of patients whose disease began in an extranodal organ (SEER, n = 25,992)."""
OF_EXTENT, OF_REGION = 0.62, 0.50
"""Correlations of a site's involvement with the patient's extent and with its own part of the body [A]."""
NEXT_REGION = 0.6
"""Correlation of neighbouring parts of the body [A]."""
LOCALISED = 0.5
"""By how many SD disease that began in an organ is less extended than disease of the nodes [A]."""


@dataclass(frozen=True)
class Spread:
    """Where the disease is.

    Attributes:
        primary: the extranodal organ in which it began, None for nodal disease.
        sites: involved sites, in the order of the tables. extent: latent, about N(0, 1); large is widespread.
    """

    primary: str | None
    sites: tuple[str, ...]
    extent: float


@cache
def stations_of(site: str, sex: str) -> tuple[Station, ...]:
    """Stations of a site in a man or a woman."""
    return tuple(station for station in (*STATIONS, *EXTRANODAL) if station.site == site and station.sex in (None, sex))


@cache
def _sites(sex: str) -> tuple[str, ...]:
    return tuple(site for site in SITE_FREQUENCY if stations_of(site, sex))


@cache
def _primaries(sex: str) -> Mapping[str, float]:
    shares = {site: PRIMARY_SHARE[site] for site in PRIMARY_SHARE if stations_of(site, sex)}
    total = sum(shares.values())
    return {site: share / total for site, share in shares.items()}


@cache
def _thresholds(sex: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Latent value above which a site is involved, so that with the primaries its frequency is the table's."""
    found = []
    for site in _sites(sex):
        only = any(station.sex for station in stations_of(site, sex))
        wanted = SITE_FREQUENCY[site] / (0.5 if only else 1.0)
        primary = PRIMARY_EXTRANODAL * _primaries(sex).get(site, 0.0)
        found.append((wanted - primary) / (1 - primary))
    return np.asarray(norm.isf(found), dtype=np.float64)


@cache
def _regions(sex: str) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.array([REGIONS.index(stations_of(site, sex)[0].region) for site in _sites(sex)], dtype=np.intp)


def draw_spread(rng: np.random.Generator, person: Person) -> Spread:
    """Draws involved sites from a Gaussian copula: extent of the patient, part of the body, site.

    Neighbouring parts of the body go together, so disease is contiguous more often than chance would have it; every
    site keeps its frequency. A patient with no site at all gets the one nearest to involvement.
    """
    sites = _sites(person.sex)
    primaries = _primaries(person.sex)
    began_outside = rng.random() < PRIMARY_EXTRANODAL
    organ = tuple(primaries)[int(rng.choice(len(primaries), p=tuple(primaries.values())))]
    # the mean over both kinds of patients stays 0
    extent = float(rng.normal()) + LOCALISED * (PRIMARY_EXTRANODAL - began_outside)
    parts = np.empty(len(REGIONS))
    parts[0] = rng.normal()
    for part in range(1, len(REGIONS)):
        parts[part] = NEXT_REGION * parts[part - 1] + np.sqrt(1 - NEXT_REGION**2) * rng.normal()
    own = np.sqrt(1 - OF_EXTENT**2 - OF_REGION**2)
    latent = OF_EXTENT * extent + OF_REGION * parts[_regions(person.sex)] + own * rng.normal(size=len(sites))
    above = latent - _thresholds(person.sex)
    involved = above > 0
    if began_outside:
        involved[sites.index(organ)] = True
    else:
        nodal = np.array([stations_of(site, person.sex)[0].organ is None for site in sites])
        if not involved[nodal].any():
            involved[int(np.argmax(np.where(nodal, above, -np.inf)))] = True
    chosen = tuple(site for site, there in zip(sites, involved, strict=True) if there)
    return Spread(organ if began_outside else None, chosen, extent)
