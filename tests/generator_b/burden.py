"""How much disease, and what the clinic knows of it: a Gaussian copula around one latent burden."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from lymphoma.survival.clinical import ClinicalFactors
from scipy import stats

from tests.generator_b.geometry import stream
from tests.generator_b.stations import CHAINS, ORGANS, spread

__all__ = ["Burden", "Focus", "clinical_factors", "draw_burden"]

STREAM = 20
MOST_LESIONS = 55
LEAST_ML = 0.7


@dataclass(frozen=True)
class Focus:
    """One lesion to grow.

    Attributes:
        chain: name of a nodal chain, None in an organ. organ: index into ORGANS, None for a node.
    """

    chain: str | None
    organ: int | None
    volume_ml: float
    suv: float


@dataclass(frozen=True)
class Burden:
    """The disease as drawn. ``latent`` is the standard normal burden that the clinic's figures lean on."""

    latent: float
    foci: tuple[Focus, ...]


def draw_burden(seed: int, lesions: int | None = None) -> Burden:
    """Count, volumes, uptake and places of the lesions.

    Args:
        lesions: their number; drawn where None. With 0 the same person is healthy.
    """
    rng = stream(seed, STREAM)
    latent = float(rng.standard_normal())
    u = float(stats.norm.cdf(0.62 * latent + np.sqrt(1 - 0.62**2) * rng.standard_normal()))
    drawn = 1 + int(stats.nbinom.ppf(u, 1.25, 1.25 / (1.25 + 13.0)))
    count = min(MOST_LESIONS, drawn) if lesions is None else lesions
    if count == 0:
        return Burden(latent, ())
    total = float(np.clip(225 * np.exp(1.3 * latent), 4.0, 3200.0))
    sticks = rng.weibull(0.6, count) + 0.02
    volumes = np.maximum(LEAST_ML, total * sticks / sticks.sum())
    level = 10.5 * float(np.exp(np.clip(rng.logistic(0, 0.26), -0.75, 1.1)))
    # a small node must be hotter to be seen: the camera halves 1 mL
    seen = 1 + 0.30 / np.cbrt(volumes) ** 2
    suvs = np.clip(level * np.exp(rng.laplace(0, 0.2, count)) * seen, 3.0, 45.0)
    in_organ = rng.random(count) < (0.04 + 0.26 * (rng.random() < 0.35))
    weights = np.array([site.weight for site in ORGANS])
    kinds = rng.choice(len(ORGANS), size=2, p=weights / weights.sum())
    path = spread(rng, count)
    foci = [
        Focus(None, int(rng.choice(kinds)), float(min(v, 400.0)), float(s)) if organ
        else Focus(chain, None, float(v), float(s))
        for organ, chain, v, s in zip(in_organ, path, volumes, suvs, strict=True)
    ]  # fmt: skip
    return Burden(latent, tuple(foci))


def clinical_factors(seed: int, burden: Burden, sex: Literal["M", "F"], bulky: bool) -> ClinicalFactors:
    """The clinic's record; stage by the Ann Arbor rule from the places of the foci."""
    rng = stream(seed, STREAM + 1)
    b = burden.latent
    fit = float(rng.standard_normal())
    age = 18 + 72 * float(rng.beta(4.0, 2.3))
    ldh = float(np.exp(-0.05 + 0.42 * (0.55 * b + 0.835 * stats.t.ppf(stats.norm.cdf(rng.standard_normal()), 7))))
    frailty = 0.45 * b + 0.25 * (age - 63) / 13 + 0.86 * fit
    ecog = int(np.searchsorted([-0.1, 0.85, 1.6, 2.4], frailty))
    sites = sorted({ORGANS[f.organ].counts_for or "" for f in burden.foci if f.organ is not None} - {""})
    known = ClinicalFactors(
        age_years=round(age, 1),
        sex=sex,
        stage=_stage(burden, tuple(sites)),
        ldh_ratio=round(float(np.clip(ldh, 0.4, 12.0)), 2),
        ecog=(0, 1, 2, 3, 4)[min(ecog, 4)],
        extranodal_sites=tuple(sites),
        cell_of_origin="non-GCB" if rng.random() < 0.42 else "GCB",
        bulky=bulky,
        b_symptoms=bool(rng.random() < 1 / (1 + np.exp(0.9 - 0.8 * b))),
    )
    return replace(known, cell_of_origin=None) if rng.random() < 0.1 else known


def _stage(burden: Burden, sites: tuple[str, ...]) -> Literal[1, 2, 3, 4] | None:
    if not burden.foci:
        return None
    chains = {f.chain for f in burden.foci if f.chain is not None}
    disseminated = {"bone marrow", "liver", "lung", "CNS"} & set(sites)
    if disseminated or len(sites) > 1 or (sites and len(chains) > 1):
        return 4
    above = {CHAINS[name].above for name in chains}
    spleen = any(f.organ is not None and ORGANS[f.organ].structures == ("spleen",) for f in burden.foci)
    if len(above) == 2 or (spleen and True in above):
        return 3
    return 2 if len(chains) + spleen > 1 else 1
