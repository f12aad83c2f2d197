"""The published indices of a study, from the clinical record and the measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lymphoma.site.impi import ImpiCohort
from lymphoma.survival import indices
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.index_tables import Rate
from lymphoma.survival.indices import ImpiScore, IndexScore

from nodal.errors import Code
from nodal.findings import NotComputed
from nodal.outlook import ImpiFinding, IndexFinding, Indices, PublishedRate

__all__ = ["placed", "published_indices"]

_POINTS: dict[str, Callable[[ClinicalFactors], IndexScore | None]] = {
    "ipi": indices.ipi,
    "aa_ipi": indices.aa_ipi,
    "r_ipi": indices.r_ipi,
    "nccn_ipi": indices.nccn_ipi,
    "cns_ipi": indices.cns_ipi,
}
FACTORS = ("age_years", "stage", "ldh_ratio", "ecog", "extranodal_sites")


def published_indices(
    clinical: ClinicalFactors, tmtv_ml: float | None, without_tmtv: NotComputed | None
) -> tuple[Indices, tuple[NotComputed, ...]]:
    """IPI, aaIPI, R-IPI, NCCN-IPI, CNS-IPI and IMPI; a missing factor opens a range of points.

    Of a patient of whom no factor but the age is known nothing is said: the range would be nearly the whole index.

    Args:
        tmtv_ml: at SUV 4.0, of the whole body. without_tmtv: why there is none that the IMPI may read.

    Returns:
        the indices, and what was not computed; the aaIPI of a patient above 60 years is neither.
    """
    known = [name for name in FACTORS if getattr(clinical, name) is not None]
    missing: list[NotComputed] = []
    found: dict[str, IndexFinding] = {}
    if set(known) <= {"age_years"}:
        reason = "needs stage, LDH, ECOG and extranodal sites, of which none is known"
        missing += [NotComputed(f"indices.{name}", Code.NO_CLINICAL_RECORD, reason) for name in _POINTS]
    else:
        scores = {name: score(clinical) for name, score in _POINTS.items()}
        found = {name: _finding(score) for name, score in scores.items() if score is not None}
    impi = None
    if without_tmtv is not None:
        missing.append(without_tmtv)
    elif (score := indices.impi(clinical, tmtv_ml or 0.0)) is None:
        missing.append(NotComputed("indices.impi", Code.NO_CLINICAL_RECORD, "needs the age, which is not known"))
    else:
        impi = _impi(score)
    return Indices(**found, impi=impi), tuple(missing)


def placed(impi: ImpiFinding, cohort: ImpiCohort, name: str) -> ImpiFinding:
    """The IMPI with its place among the patients of a cohort."""
    low, high = (cohort.percentile(value) for value in impi.range)
    return replace(impi, percentile=(low, high), cohort=name)


def _finding(score: IndexScore) -> IndexFinding:
    table = score.table
    possible = [group.name for group in table.groups if group.most >= score.least and group.least <= score.most]
    return IndexFinding(
        name=table.name,
        points=score.points,
        range=(score.least, score.most),
        most_points=table.most_points,
        group=score.group.name if score.group else None,
        open_groups=() if score.group else tuple(possible),
        missing=score.missing,
        survival=tuple(_rate(rate) for rate in score.group.rates) if score.group else (),
    )


def _rate(rate: Rate) -> PublishedRate:
    return PublishedRate(rate.endpoint, rate.months, rate.share, rate.interval, rate.source)


def _impi(score: ImpiScore) -> ImpiFinding:
    value = None if score.missing else score.least
    return ImpiFinding(value, (score.least, score.most), score.missing)
