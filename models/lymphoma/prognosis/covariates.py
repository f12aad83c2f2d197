"""The covariates that a model may have, each by one name: how it is read from a patient, and what readers call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lymphoma.prognosis.measures import Prospect
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.design import Categorical, Continuous, Term
from lymphoma.survival.groups import NCCN_HIGH_FROM
from lymphoma.survival.indices import IndexScore, impi, ipi, nccn_ipi
from lymphoma.survival.nomogram import Value

__all__ = ["AT_LEAST", "COVARIATES", "SCORE", "Covariate", "covariate"]

SCORE = "score:"
"""Before the name of a system's score: ``score:deepmts_pfs``."""
AT_LEAST = ">="
"""Between a number's name and the cut that parts patients by it: ``suv_max>=21.5``."""

LEAST_TMTV_ML = 1.0
"""What a smaller volume, 0 included, counts as on the log axis: under the 3 mL that a lesion needs to be segmented, so
that no lesion is less than the smallest disease, and near enough to it not to rule the slope."""
LEAST_TLG_G = 4.0
"""1 mL at the SUV of 4.0 that a lesion begins at."""
LEAST_LDH_RATIO = 0.1
"""Under any measured value; a ratio of 0 is a mistake that must not become minus infinity."""


@dataclass(frozen=True)
class Covariate:
    """A covariate.

    Attributes:
        term: as a fit takes it. label: for readers, "TMTV". read: its value of a patient, None where not known.
    """

    term: Term
    label: str
    read: Callable[[Prospect], Value | None]


def covariate(name: str) -> Covariate:
    """A covariate by name: one of :data:`COVARIATES`, the score of a system (``score:deepmts_pfs``), or either of them
    cut in two (``tmtv_ml>=220.0``).

    Raises:
        KeyError: none of them.
    """
    if AT_LEAST in name:
        return _cut(name)
    if name.startswith(SCORE) and len(name) > len(SCORE):
        return _score(name)
    return COVARIATES[name]


def _cut(name: str) -> Covariate:
    """The value of the cut itself counts as high."""
    own, _, text = name.partition(AT_LEAST)
    whole = covariate(own)
    try:
        cut = float(text)
    except ValueError as fault:
        raise KeyError(name) from fault
    if not isinstance(whole.term, Continuous) or not np.isfinite(cut):
        raise KeyError(name)
    levels = (f"under {cut:.4g}", f"{cut:.4g} or more")

    def value(patient: Prospect) -> str | None:
        found = whole.read(patient)
        return None if found is None else levels[int(float(found) >= cut)]

    return Covariate(Categorical(name, levels), whole.label, value)


def _score(name: str) -> Covariate:
    own = name.removeprefix(SCORE)
    return Covariate(Continuous(name), f"{own} (score)", lambda patient: patient.scores.get(own))


def _number(name: str, label: str, unit: str, read: Callable[[Prospect], float | None]) -> Covariate:
    return Covariate(Continuous(name, unit), label, lambda patient: _finite(read(patient)))


def _logarithm(name: str, label: str, unit: str, least: float, read: Callable[[Prospect], float | None]) -> Covariate:
    return Covariate(Continuous(name, unit, "log", least), label, lambda patient: _finite(read(patient)))


def _finite(value: float | None) -> float | None:
    """A value that is not a number is not known."""
    return float(value) if value is not None and np.isfinite(value) else None


def _word(name: str, label: str, levels: tuple[str, ...], read: Callable[[ClinicalFactors], int | None]) -> Covariate:
    """One of ``levels`` by its position."""

    def value(patient: Prospect) -> str | None:
        position = read(patient.clinical)
        return None if position is None else levels[position]

    return Covariate(Categorical(name, levels), label, value)


def _points(score: IndexScore) -> float | None:
    return None if score.points is None else float(score.points)


def _nccn_high(clinical: ClinicalFactors) -> int | None:
    """Known as soon as the missing factors can no longer change it."""
    score = nccn_ipi(clinical)
    least, most = score.least >= NCCN_HIGH_FROM, score.most >= NCCN_HIGH_FROM
    return int(least) if least == most else None


def _impi(patient: Prospect) -> float | None:
    if patient.pet.tmtv_ml is None:
        return None
    found = impi(patient.clinical, patient.pet.tmtv_ml)
    return None if found is None or found.missing else found.least


def _position(value: object, levels: tuple[object, ...]) -> int | None:
    return levels.index(value) if value in levels else None


_ALL = (
    _number("age_years", "Age", "years", lambda patient: patient.clinical.age_years),
    _word("sex", "Sex", ("F", "M"), lambda one: _position(one.sex, ("F", "M"))),
    _word("stage", "Ann Arbor stage", ("I-II", "III-IV"), lambda one: None if one.stage is None else one.stage // 3),
    _word(
        "stage_four",
        "Ann Arbor stage",
        ("I", "II", "III", "IV"),
        lambda one: None if one.stage is None else one.stage - 1,
    ),
    _logarithm(
        "ldh_ratio",
        "LDH / upper limit of normal",
        "",
        LEAST_LDH_RATIO,
        lambda patient: patient.clinical.ldh_ratio,
    ),
    _number("ecog", "ECOG performance status", "", lambda patient: patient.clinical.ecog),
    _word(
        "ecog_group",
        "ECOG performance status",
        ("0-1", "2-4"),
        lambda one: None if one.ecog is None else int(one.ecog >= 2),
    ),
    _number(
        "extranodal_count",
        "Extranodal organs",
        "",
        lambda patient: (
            None if patient.clinical.extranodal_sites is None else len(set(patient.clinical.extranodal_sites))
        ),
    ),
    _word(
        "cell_of_origin",
        "Cell of origin",
        ("GCB", "non-GCB"),
        lambda one: _position(one.cell_of_origin, ("GCB", "non-GCB")),
    ),
    _word("bulky", "Bulky disease", ("no", "yes"), lambda one: None if one.bulky is None else int(one.bulky)),
    _number("ipi", "IPI", "points", lambda patient: _points(ipi(patient.clinical))),
    _number("nccn_ipi", "NCCN-IPI", "points", lambda patient: _points(nccn_ipi(patient.clinical))),
    _word("nccn_ipi_high", "NCCN-IPI", (f"under {NCCN_HIGH_FROM}", f"{NCCN_HIGH_FROM} or more"), _nccn_high),
    _number("impi", "IMPI, linear predictor", "", _impi),
    _logarithm("tmtv_ml", "TMTV", "mL", LEAST_TMTV_ML, lambda patient: patient.pet.tmtv_ml),
    _logarithm("tlg_g", "TLG", "g", LEAST_TLG_G, lambda patient: patient.pet.tlg_g),
    _number("suv_max", "SUVmax", "", lambda patient: patient.pet.suv_max),
    _number("suv_peak", "SUVpeak", "", lambda patient: patient.pet.suv_peak),
    _number("dmax_mm", "Dmax", "mm", lambda patient: patient.pet.dmax_mm),
    _number("dmax_bulk_mm", "Dmax from the largest lesion", "mm", lambda patient: patient.pet.dmax_bulk_mm),
    _number("sdmax_per_m", "SDmax", "1/m", lambda patient: patient.pet.sdmax_per_m),
    _number("lesion_count", "Lesions", "", lambda patient: patient.pet.lesion_count),
)

COVARIATES: dict[str, Covariate] = {one.term.name: one for one in _ALL}
"""By name. A factor that is not known is never imputed: an index with an open range has no value."""
