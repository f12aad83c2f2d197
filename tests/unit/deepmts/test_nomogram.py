"""The MTDLR nomogram: a Cox model of stage and two scores out of fold, what stands beside it, and its mechanism."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from lymphoma.deepmts.auto_radio import AutoRadio, RadioConfig
from lymphoma.deepmts.nomogram import Mtdlr, MtdlrConfig, OutOfFoldRisk, fit_mtdlr, for_bundle
from lymphoma.errors import NotComputable
from lymphoma.prognosis.covariates import COVARIATES
from lymphoma.prognosis.cross_fit import cross_fit
from lymphoma.prognosis.measures import Prospect
from lymphoma.prognosis.nomogram_tables import SCREENED, paired_gain
from lymphoma.prognosis.store import model_from_json, model_to_json
from lymphoma.radiomics import RadiomicsSettings
from lymphoma.survival.bootstrap import Interval
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.folded import folded_concordance

from tests.unit.deepmts.radio_patients import RadioPatients, radio_patients

pytestmark = pytest.mark.unit

CONFIG = MtdlrConfig(RadioConfig(folds=5, penalties=20), resamples=50)
COUNT = 500


def fit(given: RadioPatients, **more: object) -> Mtdlr:
    return fit_mtdlr(given.patients, given.features, {"pfs": given.risk}, CONFIG, **more).fits[0]  # type: ignore[arg-type]


@cache
def texture() -> Mtdlr:
    return fit(radio_patients(COUNT, "texture"))


@pytest.mark.paper("mtdlr-nomogram")
def test_it_is_a_cox_model_of_stage_and_the_two_scores_out_of_fold() -> None:
    given, found = radio_patients(COUNT, "texture"), texture()
    assert [term.name for term in found.fit.model.terms] == ["stage", "score:deepmts_pfs", "score:auto_radio_pfs"]
    advanced = [float((given.patients.clinical[at].stage or 0) >= 3) for at in found.index]
    x = np.column_stack((advanced, given.risk.risk[found.index], found.auto_radio.out_of_fold))
    by_hand = fit_cox(["stage", "deep", "radio"], x, given.patients.follow_up("pfs", found.index), endpoint="pfs")
    assert np.allclose(found.fit.model.cox.coefficients, by_hand.coefficients, rtol=1e-6)
    assert len(found.fit.model.nomogram.axes) == 3
    assert found.fit.beats_chance


@pytest.mark.paper("mtdlr-groups")
def test_high_and_low_risk_by_a_cut_off_of_the_roc_curve() -> None:
    model = texture().fit.model
    assert model.cutoff_rule == "youden_24m"
    assert model.grouped_out_of_fold
    low, high = model.groups
    assert (low.name, high.name) == ("low", "high")
    assert low.survival[24] > high.survival[24]


@pytest.mark.paper("mtdlr-tables")
def test_single_factors_are_screened_and_the_nomogram_s_own_are_tabled_together() -> None:
    found = texture()
    names = [row.name for row in found.univariate]
    assert names == [*SCREENED, "score:deepmts_pfs", "score:auto_radio_pfs"]
    by_name = {row.name: row for row in found.univariate}
    assert by_name["score:auto_radio_pfs"].coefficients[0].p < 0.001
    assert [row.name for row in found.multivariate] == ["stage", "score:deepmts_pfs", "score:auto_radio_pfs"]
    together = [row.coefficients[0].coefficient for row in found.multivariate]
    assert np.allclose(together, found.fit.model.cox.coefficients, rtol=1e-6)


@pytest.mark.paper("mtdlr-beside")
def test_the_conventional_and_the_single_task_nomogram_stand_beside_it() -> None:
    given = radio_patients(COUNT, "texture")
    rng = np.random.default_rng(5)
    alone = replace(given.risk, risk=given.risk.risk + rng.normal(scale=2.0, size=len(given.risk.risk)))
    manual = given.features * rng.normal(1.0, 0.05, size=given.features.shape)
    found = fit(given, manual=manual, single_task={"pfs": alone})
    assert list(found.fits) == [
        "mtdlr", "conventional", "single_task", "stage", "deepmts", "auto_radio", "manual_radio",
    ]  # fmt: skip
    terms = {name: [term.name for term in one.model.terms] for name, one in found.fits.items()}
    assert terms["conventional"] == ["stage", "score:manual_radio_pfs"]
    assert terms["single_task"] == ["stage", "score:single_task_pfs"]
    assert [one.against for one in found.comparisons] == list(found.fits)[1:]
    without = texture().fits["conventional"].model.terms
    assert [term.name for term in without] == ["stage", "score:auto_radio_pfs"]


def test_a_comparison_is_the_difference_of_the_two_concordances() -> None:
    found, given = texture(), radio_patients(COUNT, "texture")
    follow_up = given.patients.follow_up("pfs", found.index)
    for one in found.comparisons:
        c = [
            folded_concordance(follow_up, fit.out_of_fold, fit.parts, resamples=2, seed=0).estimate
            for fit in (found.fit, found.fits[one.against])
        ]
        assert one.gain.estimate == pytest.approx(c[0] - c[1], abs=1e-12)
        assert one.gain.lower <= one.gain.estimate <= one.gain.upper
    same = paired_gain(follow_up, found.fit.parts, found.fit.out_of_fold, found.fit.out_of_fold, resamples=20, seed=0)
    assert (same.estimate, same.lower, same.upper) == (0.0, 0.0, 0.0)


def radiomics_against_tmtv(mode: str) -> tuple[Interval, Mtdlr]:
    given = radio_patients(COUNT, mode)
    found = texture() if mode == "texture" else fit(given)
    follow_up = given.patients.follow_up("pfs", found.index)
    volumes = [COVARIATES["tmtv_ml"].read(given.patients.prospect(int(at))) for at in found.index]
    tmtv = cross_fit(
        "pfs", [COVARIATES["tmtv_ml"].term], [[one for one in volumes if one is not None]], follow_up,
        found.fit.parts, resamples=2,
    )  # fmt: skip
    gain = paired_gain(
        follow_up, found.fit.parts, found.fits["auto_radio"].out_of_fold, tmtv.out_of_fold, resamples=500, seed=0
    )
    return gain, found


def test_where_texture_makes_the_hazard_radiomics_beat_tmtv() -> None:
    gain, found = radiomics_against_tmtv("texture")
    assert gain.lower > 0
    chosen = set(found.auto_radio.model.names)
    assert chosen & {"pet_original_glcm_Contrast", "pet_original_glcm_Idn", "pet_original_firstorder_Variance"}


def test_where_volume_alone_makes_it_they_do_not() -> None:
    gain, _ = radiomics_against_tmtv("burden")
    assert gain.lower <= 0


def test_patients_without_stage_or_features_are_left_out() -> None:
    given = radio_patients(COUNT, "texture")
    clinical = tuple(replace(one, stage=None) if at < 20 else one for at, one in enumerate(given.patients.clinical))
    features = given.features.copy()
    features[20:30] = np.nan
    fewer = replace(given, patients=replace(given.patients, clinical=clinical), features=features)
    found = fit(fewer)
    known = np.array([one.stage is not None for one in clinical]) & np.isfinite(features).all(axis=1)
    assert np.array_equal(found.index, np.flatnonzero(known))
    assert found.left_out == len(known) - int(known.sum()) >= 30
    assert sorted(np.concatenate(found.fit.parts).tolist()) == list(range(len(found.index)))


def test_other_folds_of_the_single_task_network_are_refused() -> None:
    given = radio_patients(COUNT, "texture")
    other = OutOfFoldRisk(given.risk.index, given.risk.parts[::-1], given.risk.risk)
    with pytest.raises(ValueError, match="same folds"):
        fit(given, single_task={"pfs": other})


def test_nobody_with_a_stage_is_said() -> None:
    given = radio_patients(COUNT, "texture")
    clinical = tuple(replace(one, stage=None) for one in given.patients.clinical)
    with pytest.raises(NotComputable, match="TOO_FEW_PATIENTS"):
        fit(replace(given, patients=replace(given.patients, clinical=clinical)))


def test_what_a_bundle_keeps_gives_the_patient_the_same_prediction() -> None:
    given, found = radio_patients(COUNT, "texture"), texture()
    models, further = for_bundle([found], "lesions", RadiomicsSettings())
    kept, index = models["pfs"]
    assert np.array_equal(index, found.index)
    radio = AutoRadio.from_json(further["auto_radio"])
    at = int(found.index[0])
    scores = {name: float(one[0]) for name, one in radio.scores(given.features[[at]]).items()}
    scores["deepmts_pfs"] = float(given.risk.risk[at])
    patient = Prospect(given.patients.clinical[at], given.patients.pet[at], scores)
    first, second = (model.predict(patient) for model in (kept.model, model_from_json(model_to_json(kept.model))))
    assert first.linear_predictor[0] == first.linear_predictor[1] == second.linear_predictor[0]
    assert first.reading.missing == ()
