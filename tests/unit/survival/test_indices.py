"""Published indices: points, groups, ranges where a factor is missing, and the published numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.index_tables import AA_IPI, CNS_IPI, IPI, NCCN_IPI, R_IPI, IndexTable, Rate
from lymphoma.survival.indices import aa_ipi, cns_ipi, impi, impi_linear_predictor, ipi, nccn_ipi, r_ipi

pytestmark = pytest.mark.unit

WELL = ClinicalFactors(age_years=40, sex="F", stage=1, ldh_ratio=0.9, ecog=0, extranodal_sites=())
ILL = ClinicalFactors(age_years=80, stage=4, ldh_ratio=3.5, ecog=3, extranodal_sites=("kidney", "lung"))


def test_best_and_worst() -> None:
    assert [index(WELL).points for index in (ipi, r_ipi, nccn_ipi, cns_ipi)] == [0, 0, 0, 0]
    assert [index(ILL).points for index in (ipi, r_ipi, nccn_ipi, cns_ipi)] == [5, 5, 8, 6]


@pytest.mark.parametrize(
    ("changed", "of_ipi", "of_nccn"),
    [
        (replace(WELL, age_years=41), 0, 1),
        (replace(WELL, age_years=60), 0, 1),
        (replace(WELL, age_years=61), 1, 2),
        (replace(WELL, age_years=75), 1, 2),
        (replace(WELL, age_years=76), 1, 3),
        (replace(WELL, ldh_ratio=1.0), 0, 0),
        (replace(WELL, ldh_ratio=1.01), 1, 1),
        (replace(WELL, ldh_ratio=3.0), 1, 1),
        (replace(WELL, ldh_ratio=3.01), 1, 2),
        (replace(WELL, stage=2), 0, 0),
        (replace(WELL, stage=3), 1, 1),
        (replace(WELL, ecog=1), 0, 0),
        (replace(WELL, ecog=2), 1, 1),
        (replace(WELL, extranodal_sites=("skin",)), 0, 0),
        (replace(WELL, extranodal_sites=("skin", "skin")), 0, 0),
        (replace(WELL, extranodal_sites=("skin", "bone")), 1, 0),
        (replace(WELL, extranodal_sites=("bone_marrow",)), 0, 1),
        (replace(WELL, extranodal_sites=("bowel", "liver")), 1, 1),
    ],
)
def test_each_factor_at_its_limit(changed: ClinicalFactors, of_ipi: int, of_nccn: int) -> None:
    assert ipi(changed).points == of_ipi
    assert nccn_ipi(changed).points == of_nccn


def test_kidney_or_adrenal_counts_once_in_the_cns_ipi() -> None:
    assert cns_ipi(replace(WELL, extranodal_sites=("adrenal",))).points == 1
    assert cns_ipi(replace(WELL, extranodal_sites=("adrenal", "kidney"))).points == 2
    assert cns_ipi(replace(WELL, extranodal_sites=("bone",))).points == 0


def test_a_missing_factor_opens_a_range() -> None:
    score = nccn_ipi(replace(ILL, age_years=None, ldh_ratio=None))
    assert (score.least, score.most, score.points) == (3, 8, None)
    assert score.missing == ("age_years", "ldh_ratio")
    assert score.group is None


def test_a_group_stands_where_the_missing_factor_cannot_change_it() -> None:
    score = ipi(replace(WELL, ecog=None))
    assert (score.least, score.most, score.points) == (0, 1, None)
    assert score.group is not None
    assert score.group.name == "low"


def test_nothing_known_is_the_whole_range() -> None:
    nothing = ClinicalFactors()
    for index, table in ((ipi, IPI), (nccn_ipi, NCCN_IPI), (cns_ipi, CNS_IPI)):
        assert (index(nothing).least, index(nothing).most) == (0, table.most_points)


def test_age_adjusted_index_is_for_those_up_to_60() -> None:
    assert aa_ipi(replace(ILL, age_years=61)) is None
    score = aa_ipi(replace(ILL, age_years=60))
    assert score is not None
    assert (score.points, score.group) == (3, AA_IPI.groups[3])
    unknown = aa_ipi(replace(ILL, age_years=None))
    assert unknown is not None
    assert unknown.missing == ("age_years",)


def test_groups_of_points() -> None:
    def names(table: IndexTable) -> list[str]:
        return [table.group_of(points).name for points in range(table.most_points + 1)]

    low, low_mid, high_mid, high = "low", "low-intermediate", "high-intermediate", "high"
    assert names(IPI) == [low, low, low_mid, high_mid, high, high]
    assert names(AA_IPI) == [low, low_mid, high_mid, high]
    assert names(R_IPI) == ["very good", "good", "good", "poor", "poor", "poor"]
    assert names(NCCN_IPI) == [low, low, low_mid, low_mid, high_mid, high_mid, high, high, high]
    assert names(CNS_IPI) == ["low", "low", "intermediate", "intermediate", "high", "high", "high"]
    with pytest.raises(ValueError, match="6 points"):
        IPI.group_of(6)


@pytest.mark.parametrize(
    ("table", "endpoint", "months", "source", "shares"),
    [
        (IPI, "os", 60, "1993", (0.73, 0.51, 0.43, 0.26)),
        (IPI, "os", 24, "1993", (0.84, 0.66, 0.54, 0.34)),
        (IPI, "complete_remission", None, "1993", (0.87, 0.67, 0.55, 0.44)),
        (IPI, "pfs", 60, "Ruppert", (0.81, 0.67, 0.58, 0.46)),
        (IPI, "os", 60, "Ruppert", (0.88, 0.76, 0.67, 0.54)),
        (AA_IPI, "os", 60, "1993", (0.83, 0.69, 0.46, 0.32)),
        (R_IPI, "pfs", 60, "Ruppert", (0.87, 0.74, 0.53)),
        (NCCN_IPI, "os", 60, "Ruppert", (0.92, 0.84, 0.63, 0.49)),
        (NCCN_IPI, "os", 60, "GELTAMO", (0.93, 0.83, 0.67, 0.49)),
        (CNS_IPI, "cns_relapse", 24, "German", (0.006, 0.034, 0.102)),
        (CNS_IPI, "cns_relapse", 24, "British", (0.008, 0.039, 0.12)),
    ],
)
def test_published_survival(
    table: IndexTable, endpoint: str, months: int | None, source: str, shares: tuple[float, ...]
) -> None:
    def wanted(rate: Rate) -> bool:
        return rate.endpoint == endpoint and rate.months == months and source in rate.source

    assert tuple(rate.share for group in table.groups for rate in group.rates if wanted(rate)) == shares


def test_an_unknown_site_is_no_site() -> None:
    with pytest.raises(ValueError, match="gut"):
        ipi(replace(WELL, extranodal_sites=("gut",)))


@pytest.mark.parametrize(
    ("tmtv_ml", "age_years", "stage", "value"),
    [
        (0, 60, 1, 0.485547),
        (100, 60, 1, 0.793280),
        (307.9, 62, 3, 1.730383),
        (307.9, 62, 4, 1.771489),
        (1000, 75, 4, 2.094941),
        (2000, 80, 4, 2.450748),
    ],
)
def test_impi_linear_predictor(tmtv_ml: float, age_years: float, stage: Literal[1, 3, 4], value: float) -> None:
    # the expected values were computed by hand from the published coefficients, to six digits
    assert impi_linear_predictor(tmtv_ml, age_years, stage) == pytest.approx(value, abs=1e-6)


def test_impi_without_stage_is_a_range_and_without_age_nothing() -> None:
    score = impi(replace(ILL, stage=None), 100.0)
    assert score is not None
    assert score.missing == ("stage",)
    assert score.least == impi_linear_predictor(100.0, 80, 2)
    assert score.most == impi_linear_predictor(100.0, 80, 4)
    assert impi(replace(ILL, age_years=None), 100.0) is None
