"""Covariates: what is read of a patient, and that nothing is made up."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from lymphoma.prognosis.covariates import COVARIATES, covariate
from lymphoma.prognosis.measures import PetMeasures, Prospect
from lymphoma.prognosis.reading import complete, values_of
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.design import Categorical, Continuous

pytestmark = pytest.mark.unit

CLINICAL = ClinicalFactors(
    age_years=62.0,
    sex="M",
    stage=3,
    ldh_ratio=1.5,
    ecog=2,
    extranodal_sites=("lung", "bone", "lung"),
    cell_of_origin="non-GCB",
    bulky=True,
)
PET = PetMeasures(307.9, 2100.0, 21.0, 17.0, 12, 480.0, 410.0, 0.25)
PATIENT = Prospect(CLINICAL, PET, {"deepmts_pfs": 0.4})

READ = {
    "age_years": 62.0,
    "sex": "M",
    "stage": "III-IV",
    "stage_four": "III",
    "ldh_ratio": 1.5,
    "ecog": 2.0,
    "ecog_group": "2-4",
    "extranodal_count": 2.0,
    "cell_of_origin": "non-GCB",
    "bulky": "yes",
    "ipi": 5.0,  # age, LDH, ECOG, stage, two organs
    "nccn_ipi": 6.0,  # age 2, LDH 1, stage, ECOG, lung
    "nccn_ipi_high": "4 or more",
    "impi": pytest.approx(1.730383, abs=1e-6),  # the published coefficients by hand
    "tmtv_ml": 307.9,
    "tlg_g": 2100.0,
    "suv_max": 21.0,
    "suv_peak": 17.0,
    "dmax_mm": 480.0,
    "dmax_bulk_mm": 410.0,
    "sdmax_per_m": 0.25,
    "lesion_count": 12.0,
}


@pytest.mark.parametrize("name", COVARIATES)
def test_a_value_is_read_as_the_clinic_says_it(name: str) -> None:
    assert COVARIATES[name].read(PATIENT) == READ[name]


@pytest.mark.parametrize("name", COVARIATES)
def test_what_is_not_known_stays_so(name: str) -> None:
    assert COVARIATES[name].read(Prospect(ClinicalFactors())) is None


def test_each_has_its_own_name_and_a_label() -> None:
    for name, one in COVARIATES.items():
        assert one.term.name == name
        assert one.label
        assert isinstance(one.term, Categorical | Continuous)


@pytest.mark.parametrize(
    ("name", "change", "value"),
    [
        ("stage", {"stage": 2}, "I-II"),
        ("stage", {"stage": 4}, "III-IV"),
        ("stage_four", {"stage": 1}, "I"),
        ("ecog_group", {"ecog": 1}, "0-1"),
        ("ecog", {"ecog": 0}, 0.0),
        ("bulky", {"bulky": False}, "no"),
        ("extranodal_count", {"extranodal_sites": ()}, 0.0),
        ("sex", {"sex": "F"}, "F"),
        ("cell_of_origin", {"cell_of_origin": "GCB"}, "GCB"),
    ],
)
def test_boundaries(name: str, change: dict[str, object], value: object) -> None:
    assert COVARIATES[name].read(replace(PATIENT, clinical=replace(CLINICAL, **change))) == value


def test_an_index_with_an_open_range_has_no_value_but_its_side_may_be_known() -> None:
    old = replace(CLINICAL, age_years=80.0, ldh_ratio=None)  # 6 points or more
    assert COVARIATES["nccn_ipi"].read(replace(PATIENT, clinical=old)) is None
    assert COVARIATES["nccn_ipi_high"].read(replace(PATIENT, clinical=old)) == "4 or more"
    young = ClinicalFactors(age_years=35.0, stage=1, ecog=0, extranodal_sites=())  # LDH may add 2
    assert COVARIATES["nccn_ipi_high"].read(Prospect(young)) == "under 4"
    open_side = replace(CLINICAL, ldh_ratio=None, extranodal_sites=None, ecog=None)  # 3 to 7
    assert COVARIATES["nccn_ipi_high"].read(replace(PATIENT, clinical=open_side)) is None


def test_no_impi_without_a_stage() -> None:
    assert COVARIATES["impi"].read(replace(PATIENT, clinical=replace(CLINICAL, stage=None))) is None


def test_what_is_no_number_is_not_known() -> None:
    pet = replace(PET, suv_peak=math.nan, tmtv_ml=math.inf)
    assert COVARIATES["suv_peak"].read(replace(PATIENT, pet=pet)) is None
    assert COVARIATES["tmtv_ml"].read(replace(PATIENT, pet=pet)) is None


def test_a_score_is_named_by_its_system() -> None:
    score = covariate("score:deepmts_pfs")
    assert score.term == Continuous("score:deepmts_pfs")
    assert score.read(PATIENT) == 0.4
    assert score.read(Prospect(CLINICAL)) is None
    for name in ("score:", "tmtv"):
        with pytest.raises(KeyError):
            covariate(name)


def test_a_number_may_be_cut_in_two() -> None:
    cut = covariate("score:deepmts_pfs>=0.4")
    assert cut.term == Categorical("score:deepmts_pfs>=0.4", ("under 0.4", "0.4 or more"))
    assert cut.read(PATIENT) == "0.4 or more", "the cut itself is high"
    assert covariate("score:deepmts_pfs>=0.40000001").read(PATIENT) == "under 0.4"
    assert cut.read(Prospect(CLINICAL)) is None
    assert covariate("tmtv_ml>=220.0").label == "TMTV"
    for name in ("tmtv_ml>=many", "tmtv_ml>=nan", "stage>=3", "tmtv>=220"):
        with pytest.raises(KeyError):
            covariate(name)


def test_complete_patients_only() -> None:
    terms = [COVARIATES[name].term for name in ("tmtv_ml", "stage")]
    without = replace(PATIENT, clinical=replace(CLINICAL, stage=None))
    kept, columns = complete(terms, [PATIENT, without, PATIENT])
    assert kept == [0, 2]
    assert columns == [[307.9, 307.9], ["III-IV", "III-IV"]]
    assert values_of(terms, without) == (307.9, None)
