"""A bundle's word on a cohort: out of fold where it was trained on the patients, with a code where it has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.scoring import impi_of, judge_patients, outside_range, with_scores
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.site.export import export_site
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.indices import impi_linear_predictor
from lymphoma.training.bundle import Bundle

from tests.bundles import feature_patients, site_bundle, site_fit

pytestmark = pytest.mark.unit

OTHERS = 6_000_000
"""Seed of patients that no bundle here was trained on."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return site_bundle(tmp_path_factory.mktemp("scoring") / "site")


def others(n: int = 60) -> Patients:
    return feature_patients(n, OTHERS)


def test_training_patients_have_their_out_of_fold_predictions(bundle: Bundle) -> None:
    patients, kept = feature_patients(), bundle.out_of_fold()
    assert kept is not None
    judged = judge_patients(bundle, patients, "pfs")
    assert judged is not None
    expected = [kept.linear_predictors["pfs"][content] for content in patients.contents]
    assert judged.scores.linear_predictor.tolist() == expected
    assert judged.scores.out_of_fold
    assert set(judged.codes) == {None}


def test_other_patients_have_the_models_prediction_and_its_survival(bundle: Bundle) -> None:
    patients, model = others(), bundle.survival("pfs")
    assert model is not None
    judged = judge_patients(bundle, patients, "pfs")
    assert judged is not None
    assert judged.scores.survival is not None
    for index in (0, 17, 59):
        one = model.predict(patients.prospect(index))
        assert judged.scores.linear_predictor[index] == pytest.approx(one.linear_predictor[0], abs=1e-12)
        months = int(judged.scores.horizons_months[0])
        assert judged.scores.survival[index, 0] == pytest.approx(one.curve[0, months], abs=1e-12)


def test_a_cohort_with_some_training_patients_takes_theirs_out_of_fold(bundle: Bundle) -> None:
    known, new = feature_patients(), others()
    names = ("ids", "contents", "centres", "clinical", "pet")
    mixed = replace(
        known,
        **{name: getattr(known, name)[:5] + getattr(new, name)[:5] for name in names},
        outcomes={end: known.outcomes[end][:5] + new.outcomes[end][:5] for end in ("pfs", "os")},
    )
    judged, first, second = (judge_patients(bundle, one, "os") for one in (mixed, known, new))
    assert judged is not None
    assert first is not None
    assert second is not None
    own, other = first.scores.linear_predictor[:5], second.scores.linear_predictor[:5]
    assert judged.scores.linear_predictor.tolist() == [*own, *other]


def test_without_kept_predictions_the_training_cohort_is_marked(tmp_path: Path) -> None:
    patients = feature_patients()
    made = export_site(tmp_path / "site", site_fit(), patients, name="site", keep_out_of_fold=False)
    judged = judge_patients(made, patients, "pfs")
    assert judged is not None
    assert not judged.scores.out_of_fold
    elsewhere = judge_patients(made, others(), "pfs")
    assert elsewhere is not None
    assert elsewhere.scores.out_of_fold


def test_a_patient_without_a_value_has_a_code_and_no_score(bundle: Bundle) -> None:
    patients = others(4)
    measured = patients.pet[2]
    changed = replace(
        patients,
        contents=("a", "b", "c", "d"),
        clinical=(replace(patients.clinical[0], age_years=None), *patients.clinical[1:]),
        pet=(patients.pet[0], PetMeasures(0.0, 0.0, lesion_count=0), replace(measured, tmtv_ml=None), patients.pet[3]),
    )
    judged = judge_patients(bundle, changed, "pfs")
    assert judged is not None
    assert judged.codes == ("NO_CLINICAL_RECORD", "NO_AVID_LESION", "MEASURE_MISSING", None)
    assert np.isnan(judged.scores.linear_predictor).tolist() == [True, True, True, False]
    assert judged.scores.survival is not None
    assert np.isnan(judged.scores.survival[0]).all()


def test_patients_unlike_the_training_are_found(bundle: Bundle) -> None:
    patients = others()
    outside = outside_range(bundle, patients)
    assert outside is not None
    # The limit is the 99 % quantile of the training patients; 4 of 60 would be rare (2 in 10,000).
    assert outside.sum() <= 4
    strange = replace(patients.pet[0], suv_max=10_000.0)
    again = outside_range(bundle, replace(patients, pet=(strange, *patients.pet[1:])))
    assert again is not None
    assert again[0]


def test_scores_of_several_bundles_are_kept_by_name(bundle: Bundle) -> None:
    scored = with_scores(others(), [bundle])
    assert set(scored.scores) == {("site E0", "pfs"), ("site E0", "os")}
    with pytest.raises(ValueError):
        with_scores(others(), [bundle, bundle])


def test_the_impi_is_never_imputed() -> None:
    patients = others(3)
    first, second = patients.clinical[0], patients.pet[1]
    gaps = replace(
        patients,
        clinical=(replace(first, stage=None), ClinicalFactors(age_years=61, stage=3), patients.clinical[2]),
        pet=(patients.pet[0], replace(second, tmtv_ml=300.0), replace(patients.pet[2], tmtv_ml=None)),
    )
    values = impi_of(gaps)
    assert np.isnan(values).tolist() == [True, False, True]
    assert values[1] == impi_linear_predictor(300.0, 61, 3)


def test_a_model_that_reads_a_score_of_images_is_refused(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bundle.survival("pfs")
    assert model is not None
    term = replace(model.terms[0], name="score:deepmts_pfs")
    read = replace(model, terms=(term, *model.terms[1:]))
    monkeypatch.setattr(Bundle, "survival", lambda self, endpoint: read)
    with pytest.raises(NotComputable) as refused:
        judge_patients(bundle, others(), "pfs")
    assert refused.value.code == "NOT_INSTALLED"
