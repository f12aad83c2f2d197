"""The published prognostic indices as pure functions of the clinical factors.

A factor that is not known is never imputed: it opens a range of points. A group is named only where the whole range
falls into it. Point definitions: IPI, N Engl J Med 1993;329:987; R-IPI, Sehn, Blood 2007;109:1857; NCCN-IPI, Zhou,
Blood 2014;123:837; CNS-IPI, Schmitz, J Clin Oncol 2016;34:3150; IMPI, Mikhaeel, J Clin Oncol 2022;40:2352.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.index_tables import AA_IPI, CNS_IPI, IPI, NCCN_IPI, R_IPI, IndexGroup, IndexTable

__all__ = [
    "EXTRANODAL_SITES",
    "ImpiScore",
    "IndexScore",
    "aa_ipi",
    "cns_ipi",
    "impi",
    "impi_linear_predictor",
    "ipi",
    "nccn_ipi",
    "r_ipi",
]

EXTRANODAL_SITES: frozenset[str] = frozenset(
    (
        *("bone_marrow", "bone", "cns", "liver", "stomach", "bowel", "lung", "kidney", "adrenal", "skin"),
        *("soft_tissue", "breast", "testis", "thyroid", "head_neck", "pancreas", "pleura"),
    )
)
"""The words for extranodal organs; a paired organ is one word."""

_NCCN_SITES = frozenset(("bone_marrow", "cns", "liver", "stomach", "bowel", "lung"))
_CNS_SITES = frozenset(("kidney", "adrenal"))

Stage = Literal[1, 2, 3, 4]


@dataclass(frozen=True)
class IndexScore:
    """The points of a patient.

    Attributes:
        least, most: the range of points that the known factors leave open; equal when all are known.
        missing: names of the factors that are not known, as fields of ``ClinicalFactors``.
    """

    table: IndexTable
    least: int
    most: int
    missing: tuple[str, ...]

    @property
    def points(self) -> int | None:
        """The score, None where a missing factor could change it."""
        return self.least if self.least == self.most else None

    @property
    def group(self) -> IndexGroup | None:
        """The group, None where a missing factor could change it."""
        best, worst = self.table.group_of(self.least), self.table.group_of(self.most)
        return best if best is worst else None


@dataclass(frozen=True)
class ImpiScore:
    """Linear predictor of the IMPI; a range where the stage is not known.

    Attributes:
        least, most: of the linear predictor. missing: ``("stage",)`` or empty.
    """

    least: float
    most: float
    missing: tuple[str, ...]


@dataclass(frozen=True)
class _Factor:
    """Points of one factor: what it gives, or the most it could give when it is not known."""

    name: str
    points: int | None
    most: int = 1

    @property
    def range(self) -> tuple[int, int]:
        return (0, self.most) if self.points is None else (self.points, self.points)


def ipi(clinical: ClinicalFactors) -> IndexScore:
    """International Prognostic Index: age above 60, LDH above normal, ECOG 2 and more, stage III-IV, more than one
    extranodal organ; a point each."""
    return _score(IPI, _ipi_factors(clinical))


def r_ipi(clinical: ClinicalFactors) -> IndexScore:
    """Revised IPI: the IPI's points in three groups."""
    return _score(R_IPI, _ipi_factors(clinical))


def aa_ipi(clinical: ClinicalFactors) -> IndexScore | None:
    """Age-adjusted IPI: stage III-IV, LDH above normal, ECOG 2 and more.

    Returns:
        None for a patient above 60 years, for whom its groups were not made. An unknown age is listed as missing.
    """
    if clinical.age_years is not None and clinical.age_years > 60:
        return None
    age = _Factor("age_years", None if clinical.age_years is None else 0, most=0)
    return _score(AA_IPI, (age, _stage(clinical), _ldh(clinical), _ecog(clinical)))


def nccn_ipi(clinical: ClinicalFactors) -> IndexScore:
    """NCCN-IPI: age over 40, 60 and 75 (1, 2, 3 points), LDH ratio over 1 and 3 (1, 2), stage III-IV, ECOG 2 and more,
    disease in marrow, CNS, liver, gastrointestinal tract or lung (1 each)."""
    age, ldh = clinical.age_years, clinical.ldh_ratio
    return _score(
        NCCN_IPI,
        (
            _Factor("age_years", None if age is None else sum(age > limit for limit in (40, 60, 75)), most=3),
            _Factor("ldh_ratio", None if ldh is None else sum(ldh > limit for limit in (1, 3)), most=2),
            _stage(clinical),
            _ecog(clinical),
            _sites(clinical, _NCCN_SITES),
        ),
    )


def cns_ipi(clinical: ClinicalFactors) -> IndexScore:
    """CNS-IPI: the five factors of the IPI and disease in kidney or adrenal."""
    return _score(CNS_IPI, (*_ipi_factors(clinical), _sites(clinical, _CNS_SITES)))


def impi_linear_predictor(tmtv_ml: float, age_years: float, stage: Stage) -> float:
    """Linear predictor of the IMPI.

    Coefficients as given by Kameda (ASH abstract, n=314, TMTV at SUV 4.0). The second volume term is read as a change
    of slope at 307.9 mL: read as a slope of its own it would let the hazard fall above that volume. Baseline survival
    and cut-off points are not published, so that no probability follows from it.

    Args:
        tmtv_ml: at a fixed threshold of SUV 4.0.
    """
    volume = 0.003077330 * tmtv_ml - 0.002761985 * max(0.0, tmtv_ml - 307.9)
    of_stage = {1: 0.0, 2: -0.114645415, 3: 0.281141117, 4: 0.322247142}
    return volume + 0.008092449 * age_years + of_stage[stage]


def impi(clinical: ClinicalFactors, tmtv_ml: float) -> ImpiScore | None:
    """The IMPI of a patient; None without an age, whose term has no bounds."""
    if clinical.age_years is None:
        return None
    stages: tuple[Stage, ...] = (1, 2, 3, 4) if clinical.stage is None else (clinical.stage,)
    values = [impi_linear_predictor(tmtv_ml, clinical.age_years, stage) for stage in stages]
    return ImpiScore(min(values), max(values), ("stage",) if clinical.stage is None else ())


def _score(table: IndexTable, factors: tuple[_Factor, ...]) -> IndexScore:
    return IndexScore(
        table,
        sum(factor.range[0] for factor in factors),
        sum(factor.range[1] for factor in factors),
        tuple(dict.fromkeys(factor.name for factor in factors if factor.points is None)),
    )


def _ipi_factors(clinical: ClinicalFactors) -> tuple[_Factor, ...]:
    age, sites = clinical.age_years, _known_sites(clinical)
    return (
        _Factor("age_years", None if age is None else int(age > 60)),
        _ldh(clinical),
        _ecog(clinical),
        _stage(clinical),
        _Factor("extranodal_sites", None if sites is None else int(len(sites) > 1)),
    )


def _ldh(clinical: ClinicalFactors) -> _Factor:
    return _Factor("ldh_ratio", None if clinical.ldh_ratio is None else int(clinical.ldh_ratio > 1))


def _ecog(clinical: ClinicalFactors) -> _Factor:
    return _Factor("ecog", None if clinical.ecog is None else int(clinical.ecog >= 2))


def _stage(clinical: ClinicalFactors) -> _Factor:
    return _Factor("stage", None if clinical.stage is None else int(clinical.stage >= 3))


def _sites(clinical: ClinicalFactors, wanted: frozenset[str]) -> _Factor:
    sites = _known_sites(clinical)
    return _Factor("extranodal_sites", None if sites is None else int(bool(sites & wanted)))


def _known_sites(clinical: ClinicalFactors) -> frozenset[str] | None:
    """Distinct organs.

    Raises:
        ValueError: a word that is not in :data:`EXTRANODAL_SITES`.
    """
    if clinical.extranodal_sites is None:
        return None
    sites = frozenset(clinical.extranodal_sites)
    if unknown := sites - EXTRANODAL_SITES:
        raise ValueError(f"no extranodal site is called {', '.join(sorted(unknown))}")
    return sites
