"""The physiological uptake of a virtual patient, and what else is avid without being lymphoma.

Frequencies are assumptions of the generator [A] unless a source is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lymphoma.simulation.benign import Confuser, draw_confusers
from lymphoma.simulation.person import Person

__all__ = ["Pattern", "Physiology", "UreterFocus", "draw_physiology"]

Pattern = Literal[
    "heart_ring",
    "heart_focal",
    "colon_segments",
    "bowel_diffuse",
    "jejunum",
    "gastritis",
    "oesophagitis",
    "marrow",
    "neck_muscle",
    "masseter",
    "back_muscle",
    "all_muscle",
    "thyroid",
    "tonsils",
    "endometrium",
    "ovary",
    "larynx",
]


@dataclass(frozen=True)
class UreterFocus:
    """Urine standing in a stretch of a ureter.

    Attributes:
        side: +1 patient's left, -1 right. low_mm, high_mm: z in the reference body. suv: before blur.
    """

    side: Literal[-1, 1]
    low_mm: float
    high_mm: float
    suv: float


@dataclass(frozen=True)
class Physiology:
    """How this patient takes up the tracer where there is no lymphoma.

    Attributes:
        common: standard score common to all soft organs; heavier patients have more, as SUV by body weight does.
        patterns: what is out of the ordinary.
        set_suv: (tissue, uptake) of tissues whose uptake is this and not the table's, g/mL.
        factors: (kind of tissue, factor) of tissues that take up more than the table's.
        ureters: urine in them. confusers: avid spots that are no organ.
    """

    common: float
    patterns: tuple[Pattern, ...] = ()
    set_suv: tuple[tuple[str, float], ...] = ()
    factors: tuple[tuple[str, float], ...] = ()
    ureters: tuple[UreterFocus, ...] = ()
    confusers: tuple[Confuser, ...] = ()


@dataclass(frozen=True)
class _Part:
    """What one system contributes."""

    patterns: tuple[Pattern, ...] = ()
    set_suv: tuple[tuple[str, float], ...] = ()
    factors: tuple[tuple[str, float], ...] = ()


def draw_physiology(rng: np.random.Generator, person: Person) -> Physiology:
    """Draws every system from a stream of its own; the common score correlates 0.5 with the body mass index [A]."""
    streams = [np.random.default_rng(rng.integers(2**63)) for _ in range(9)]
    weight = float(np.clip((person.bmi - 25.5) / 3.8, -2, 2))
    common = 0.5 * weight + np.sqrt(0.75) * float(streams[0].normal())
    parts = (
        _heart(streams[1]),
        _bowel(streams[2], person),
        _upper_gut(streams[3]),
        _marrow(streams[4]),
        _muscle(streams[5]),
        _glands(streams[6], person),
        _urine(streams[7]),
    )
    return Physiology(
        common=round(float(np.clip(common, -2.5, 2.5)), 4),
        patterns=tuple(pattern for part in parts for pattern in part.patterns),
        set_suv=tuple(pair for part in parts for pair in part.set_suv),
        factors=tuple(pair for part in parts for pair in part.factors),
        ureters=_ureters(streams[7]),
        confusers=draw_confusers(streams[8], person),
    )


def _lognormal(rng: np.random.Generator, median: float, log_sd: float, low: float, high: float) -> float:
    return round(float(np.clip(np.exp(rng.normal(np.log(median), log_sd)), low, high)), 2)


def _heart(rng: np.random.Generator) -> _Part:
    """Log-normal with median 3 in 1.5..12; below 2.2 the wall cannot be told from the blood."""
    suv = _lognormal(rng, 3.0, 0.65, 1.5, 12.0)
    focal = rng.random() < 0.35
    rest = max(1.5, 0.35 * suv)
    if suv < 2.2:
        return _Part((), (("myocardium", suv), ("myocardium_focus", suv)))
    if focal:
        return _Part(("heart_focal",), (("myocardium", round(rest, 2)), ("myocardium_focus", suv)))
    return _Part(("heart_ring",), (("myocardium", suv), ("myocardium_focus", suv)))


_COLON = ("ascending", "transverse", "descending", "sigmoid", "rectum")


def _bowel(rng: np.random.Generator, person: Person) -> _Part:
    """Hot stretches of colon in a quarter; all of it, as with metformin, in up to a fifth of the heavy and older."""
    diffuse = 0.20 if person.age_years > 45 and person.bmi > 26 else 0.04
    kind, which = rng.random(), rng.random(len(_COLON))
    if kind < diffuse:
        suv = _lognormal(rng, 6.0, 0.4, 2.5, 12.0)
        hot = {part: float(np.clip(suv * own, 2.0, 12.0)) for part, own in zip(_COLON, 0.7 + 0.6 * which, strict=True)}
        small = round(float(np.clip(suv * rng.uniform(0.3, 0.8), 1.5, 8.0)), 2)
        return _Part(("bowel_diffuse",), (*_colon_uptake(hot), ("ileum", small), ("jejunum", round(0.7 * small, 2))))
    if kind < diffuse + 0.25:
        parts = rng.permutation(len(_COLON))[: int(rng.integers(1, 3))]
        hot = {_COLON[index]: _lognormal(rng, 4.5, 0.4, 2.0, 12.0) for index in sorted(parts)}
        return _Part(("colon_segments",), _colon_uptake(hot))
    if kind > 0.92:
        return _Part(("jejunum",), (("jejunum", _lognormal(rng, 4.0, 0.3, 2.0, 8.0)),))
    return _Part()


def _colon_uptake(hot: dict[str, float]) -> tuple[tuple[str, float], ...]:
    walls = tuple((f"colon_{part}_wall", round(suv, 2)) for part, suv in hot.items())
    return (*walls, *((f"colon_{part}_content", round(0.6 * suv, 2)) for part, suv in hot.items()))


def _upper_gut(rng: np.random.Generator) -> _Part:
    kind = rng.random()
    if kind < 0.05:
        return _Part(("gastritis",), (("stomach_wall", _lognormal(rng, 5.5, 0.3, 3.5, 10.0)),))
    if kind < 0.09:
        return _Part(("oesophagitis",), (("oesophagus_lower", _lognormal(rng, 5.0, 0.3, 3.0, 9.0)),))
    return _Part()


def _marrow(rng: np.random.Generator) -> _Part:
    """Marrow that reacts (anaemia, infection, growth factors) in 7.5 % of patients, the spleen with it."""
    if rng.random() >= 0.075:
        return _Part()
    return _Part(
        ("marrow",),
        (),
        (("marrow", round(float(rng.uniform(1.7, 3.2)), 2)), ("spleen", round(float(rng.uniform(1.1, 2.0)), 2))),
    )


def _muscle(rng: np.random.Generator) -> _Part:
    kind = rng.random()
    if kind < 0.03:  # after a meal or insulin
        return _Part(("all_muscle",), (), (("muscle", round(float(rng.uniform(1.8, 3.2)), 2)),))
    names: tuple[str, ...] = ()
    pattern: Pattern = "neck_muscle"
    if kind < 0.08:
        names = ("sternocleidomastoid",)
    elif kind < 0.11:
        pattern, names = "masseter", ("masseter",)
    elif kind < 0.13:
        pattern, names = "back_muscle", ("autochthon", "gluteus_maximus")
    if not names:
        return _Part()
    suv = _lognormal(rng, 3.2, 0.35, 1.6, 8.0)
    uneven = rng.uniform(0.4, 1.0, 2)
    uneven /= uneven.max()
    pairs = tuple(
        (f"{name}_{side}", round(float(max(0.7, suv * share)), 2))
        for name in names
        for side, share in zip(("right", "left"), uneven, strict=True)
    )
    return _Part((pattern,), pairs)


def _glands(rng: np.random.Generator, person: Person) -> _Part:
    """Thyroid, tonsils, larynx, womb, ovaries and breasts."""
    patterns: list[Pattern] = []
    pairs: list[tuple[str, float]] = []
    draws, suv = rng.random(8), [_lognormal(rng, 5.0, 0.35, 3.0, 10.0) for _ in range(4)]
    if draws[0] < 0.04:
        patterns.append("thyroid")
        pairs.append(("thyroid", suv[0]))
    if draws[1] < 0.08:  # one tonsil far hotter than the other, or both inflamed
        patterns.append("tonsils")
        other = 1.0 if draws[2] < 0.4 else 0.4
        hot, cold = ("left", "right") if draws[6] < 0.5 else ("right", "left")
        pairs += [(f"tonsil_{hot}", round(1.15 * suv[1], 2)), (f"tonsil_{cold}", round(1.15 * suv[1] * other, 2))]
    if draws[3] < 0.06:
        patterns.append("larynx")
        pairs.append(("larynx", suv[2]))
    if person.sex == "F" and person.age_years < 50:
        if draws[4] < 0.40:
            patterns.append("endometrium")
            pairs.append(("endometrium", round(1.2 * suv[3], 2)))
        if draws[5] < 0.20:
            patterns.append("ovary")
            pairs.append(("ovary_left" if draws[6] < 0.5 else "ovary_right", round(1.4 * suv[3], 2)))
    # glandular breasts of the younger take up more
    young = person.sex == "F" and person.age_years < 50
    return _Part(tuple(patterns), tuple(pairs), (("gland", round(1.0 + 1.4 * draws[7], 2)),) if young else ())


def _urine(rng: np.random.Generator) -> _Part:
    """Bladder 3..60, renal pelves 5..20 where urine stands in them, else little more than the kidney."""
    pairs = [("bladder", _lognormal(rng, 18.0, 0.65, 3.0, 60.0))]
    for side in ("right", "left"):
        standing, suv = rng.random() < 0.7, _lognormal(rng, 10.0, 0.4, 5.0, 20.0)
        pairs.append((f"renal_pelvis_{side}", suv if standing else 3.5))
    return _Part((), tuple(pairs))


def _ureters(rng: np.random.Generator) -> tuple[UreterFocus, ...]:
    """None to four short columns a side. A ureter is thinner than the blur, so that a tenth to a third is seen."""
    foci = []
    sides: tuple[Literal[-1, 1], ...] = (-1, 1)
    for side in sides:
        for _ in range(min(int(rng.poisson(1.2)), 4)):
            low = float(rng.uniform(10, 165))
            high = low + _lognormal(rng, 16.0, 0.6, 6.0, 70.0)
            suv = _lognormal(rng, 22.0, 0.5, 8.0, 60.0)
            foci.append(UreterFocus(side, round(low, 1), round(min(high, 190.0), 1), suv))
    return tuple(foci)
