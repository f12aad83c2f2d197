"""A combination on simulated systems: who is judged by what, what is kept, and at which evidence level."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from lymphoma.combined import COMBINED
from lymphoma.combined.export import combined_level, export_combined
from lymphoma.combined.fit import CombinedFit, fit_combined
from lymphoma.combined.model import Part
from lymphoma.combined.store import combined_from_json, combined_of, combined_to_json
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.evaluation.combine import IMPI
from lymphoma.evaluation.patients import Patients, Scores
from lymphoma.evaluation.scoring import judge_patients, outside_range, with_scores
from lymphoma.prognosis.measures import PetMeasures, Prospect
from lymphoma.prognosis.system import SYSTEMS
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.concordance import harrell
from lymphoma.training.bundle import load_bundle
from lymphoma.training.case import Outcome

from tests.bundles import feature_patients, site_bundle
from tests.unit.evaluation.cohorts import follow_up_of

pytestmark = pytest.mark.unit

PARTS = (Part("lamp", "lamp one", "1.0.0", "a" * 64), Part("deepmts", "deepmts one", "1.0.0", "b" * 64))


@cache
def simulated(n: int = 500, seed: int = 1) -> Patients:
    """Two systems that see half of the risk each; every tenth patient lacks the second, every eleventh the stage."""
    rng = np.random.default_rng([seed, 8])
    lamp, deepmts = rng.standard_normal((2, n))
    outcomes = {}
    for end, shift in (("pfs", 0.0), ("os", -0.5)):
        seen = follow_up_of(shift + 0.6 * lamp + 0.6 * deepmts, seed + len(end))
        outcomes[end] = tuple(Outcome(float(m), bool(e)) for m, e in zip(seen.months, seen.event, strict=True))
    deepmts[::10] = np.nan
    columns = {"lamp one": lamp, "deepmts one": deepmts}
    return Patients(
        cohort="simulated",
        virtual=True,
        ids=tuple(f"p{i}" for i in range(n)),
        contents=tuple(f"{seed}-{i}" for i in range(n)),
        centres=("one",) * n,
        clinical=tuple(ClinicalFactors(age_years=40 + i % 40, stage=None if i % 11 == 0 else 3) for i in range(n)),
        pet=tuple(PetMeasures(tmtv_ml=float(10 + 37 * i % 900), lesion_count=1) for i in range(n)),
        outcomes=outcomes,
        scores={
            (name, end): Scores(name, column, None, (), out_of_fold=True)
            for name, column in columns.items()
            for end in ("pfs", "os")
        },
    )


@cache
def fitted(endpoint: str = "pfs") -> CombinedFit:
    return fit_combined(simulated(), PARTS, endpoint, resamples=100)  # type: ignore[arg-type]


def test_the_full_sub_model_uses_what_the_systems_see() -> None:
    full = fitted().combined.full
    assert full is not None
    weights = dict(zip(full.blend.used, full.blend.weights, strict=True))
    # 270 events: a weight is known to .06; three of them, and some shrinkage.
    assert weights["lamp"] == pytest.approx(0.6, abs=0.22)
    assert weights["deepmts"] == pytest.approx(0.6, abs=0.22)
    assert weights[IMPI] < 0.2
    # A log hazard of standard deviation .85 gives a C of .71 (simulated on 100,000 patients); the error is .02.
    assert full.concordance.estimate == pytest.approx(0.71, abs=0.06)
    assert full.concordance.lower < full.concordance.estimate < full.concordance.upper


def test_a_patient_is_judged_by_the_sub_model_of_what_is_known() -> None:
    combined = fitted().combined
    everything = {"lamp": 1.0, "deepmts": -0.4, IMPI: 1.2}
    for known in (("lamp", "deepmts", IMPI), ("lamp", IMPI), ("deepmts",)):
        found = combined.judge({name: everything[name] for name in known})
        assert found is not None
        assert set(found.sub_model.blend.inputs) == set(known)
        assert found.score == found.sub_model.blend.score(everything)
    gap = combined.judge({**everything, "lamp": float("nan")})
    assert gap is not None
    assert set(gap.sub_model.blend.inputs) == {"deepmts", IMPI}
    assert combined.judge({}) is None


def test_where_a_set_has_no_sub_model_the_fullest_within_it_judges() -> None:
    combined = fitted().combined
    kept = tuple(one for one in combined.sub_models if one.blend.inputs != ("lamp", IMPI))
    found = replace(combined, sub_models=kept).judge({"lamp": 1.0, IMPI: 0.5})
    assert found is not None
    assert len(found.sub_model.blend.inputs) == 1
    only = replace(combined, sub_models=tuple(one for one in kept if IMPI not in one.blend.inputs))
    found = only.judge({"lamp": 1.0, IMPI: 0.5})
    assert found is not None
    assert found.unused == (IMPI,)


def test_the_score_gives_a_survival_that_falls_with_it() -> None:
    combined = fitted().combined
    low, high = (combined.judge({"lamp": x, "deepmts": x, IMPI: 1.0}) for x in (-1.0, 1.0))
    assert low is not None
    assert high is not None
    curves = [
        one.sub_model.model.predict(Prospect(ClinicalFactors(), scores=one.scores)).curve[0, 24] for one in (low, high)
    ]
    assert curves[0] > curves[1]
    assert low.sub_model.model.grouped_out_of_fold


def test_survival_is_right_for_new_patients() -> None:
    """Fitted on scores of patients left out: weights that are judged on their own patients would be too sure."""
    full = fitted().combined.full
    assert full is not None
    new = simulated(4000, 2)
    values = np.stack([new.scores[part.bundle, "pfs"].linear_predictor for part in PARTS], axis=1)
    columns = {"lamp": values[:, 0], "deepmts": values[:, 1]}
    pair = next(one for one in fitted().combined.sub_models if one.blend.inputs == ("lamp", "deepmts"))
    whole = np.isfinite(values).all(axis=1)
    score = pair.blend.scores(np.stack([columns[name][whole] for name in pair.blend.inputs], axis=1))
    lp = pair.model.linear_predictor([score.tolist()])
    seen = new.follow_up("pfs", np.flatnonzero(whole))
    predicted = pair.model.survival_of(lp, [36.0]).mean()
    observed = 1 - (seen.event & (seen.months <= 36)).sum() / seen.n
    # Few are censored before 36 months (a quarter, evenly), so the raw share is 5 points off at most; the training's
    # own 36-month survival is known to 2.5 points.
    assert predicted == pytest.approx(observed, abs=0.1)
    assert harrell(seen, lp) == pytest.approx(pair.concordance.estimate, abs=0.06)


def test_the_file_gives_the_same_bits() -> None:
    combined = fitted().combined
    again = combined_from_json(combined_to_json(combined))
    assert (again.inputs, again.parts, again.passed) == (combined.inputs, combined.parts, combined.passed)
    patient = {"lamp": 0.3, "deepmts": 1.7, IMPI: 0.9}
    first, second = combined.judge(patient), again.judge(patient)
    assert first is not None
    assert second is not None
    assert first.score == second.score
    assert first.sub_model.concordance == second.sub_model.concordance
    assert combined_to_json(again) == combined_to_json(combined)


def test_a_file_that_does_not_fit_is_refused() -> None:
    content = json.loads(combined_to_json(fitted().combined))
    negative = json.loads(json.dumps(content["sub_models"]))
    negative[0]["blend"]["weights"][0] = -0.1
    short = json.loads(json.dumps(content["sub_models"]))
    short[0]["blend"]["means"] = []
    for change in (
        {"kind": "cox"},
        {"sub_models": []},
        {"sub_models": negative},
        {"sub_models": short},
        {"endpoint": "os"},
        {"inputs": ["lamp"]},
        {"more": 1},
    ):
        with pytest.raises(BundleRefused) as refused:
            combined_from_json(json.dumps({**content, **change}))
        assert refused.value.code == "BUNDLE_UNREADABLE"
    with pytest.raises(BundleRefused) as refused:
        combined_from_json(json.dumps({**content, "layout": 2}))
    assert refused.value.code == "BUNDLE_NEWER_LAYOUT"
    for nonsense in ("", "[]", "{"):
        with pytest.raises(BundleRefused):
            combined_from_json(nonsense)


def test_in_sample_scores_are_refused() -> None:
    patients = simulated()
    seen = replace(patients.scores["lamp one", "pfs"], out_of_fold=False)
    with pytest.raises(NotComputable) as refused:
        fit_combined(replace(patients, scores={**patients.scores, ("lamp one", "pfs"): seen}), PARTS, "pfs")
    assert refused.value.code == "SCORES_NOT_OUT_OF_FOLD"


def test_the_bundle_judges_its_training_patients_out_of_fold_and_new_ones_by_its_weights(tmp_path: Path) -> None:
    site = site_bundle(tmp_path / "site")
    patients = with_scores(feature_patients(), [site])
    part = Part("site", site.metadata.name, site.metadata.version, site.digest)
    fits = [fit_combined(patients, [part], endpoint, resamples=100) for endpoint in ("pfs", "os")]
    export_combined(tmp_path / "combined", fits, [site], patients, name="both")
    made = load_bundle(tmp_path / "combined", (*SYSTEMS, COMBINED))
    assert made.evidence.level == "E0"
    assert made.metadata.nodal.trained_on == "virtual"
    judged = judge_patients(made, patients, "pfs")
    assert judged is not None
    assert judged.scores.out_of_fold
    assert judged.scores.linear_predictor[fits[0].index].tolist() == fits[0].out_of_fold.tolist()
    new = with_scores(feature_patients(60, 6_000_000), [made, site])
    combined = combined_of(made, "pfs")
    assert combined is not None
    lp = new.scores["both", "pfs"].linear_predictor
    given = {"site": float(new.scores[site.metadata.name, "pfs"].linear_predictor[3])}
    prospect = new.prospect(3)
    full = combined.judge({**given, IMPI: _impi(prospect)})
    assert full is not None
    predicted = full.sub_model.model.predict(replace(prospect, scores=full.scores)).linear_predictor
    assert lp[3] == pytest.approx(predicted[0], abs=1e-12)
    outside = outside_range(made, new)
    assert outside is not None
    # The limit is the 99 % quantile of the training patients: 5 of 60 outside would be one in 3,000.
    assert outside.sum() < 5
    with pytest.raises(NotComputable) as refused:
        judge_patients(made, feature_patients(60, 6_000_000), "pfs")
    assert refused.value.code == "NO_BUNDLE"


def _impi(patient: Prospect) -> float:
    from lymphoma.prognosis.covariates import covariate

    value = covariate("impi").read(patient)
    assert isinstance(value, float)
    return value


def test_the_level_is_the_lowest_of_the_parts_and_the_cohort(tmp_path: Path) -> None:
    virtual, local = site_bundle(tmp_path / "e0"), site_bundle(tmp_path / "e1", "E1")
    real = replace(feature_patients(), virtual=False)
    external = replace(local, evidence=replace(local.evidence, level="E2"))
    assert combined_level([local], real) == "E1"
    assert combined_level([external], real) == "E1"
    assert combined_level([local, virtual], real) == "E0"
    assert combined_level([local], feature_patients()) == "E0"


def test_a_combination_no_better_than_chance_is_no_bundle(tmp_path: Path) -> None:
    site = site_bundle(tmp_path / "site")
    fit = fitted()
    full = fit.combined.full
    assert full is not None
    weak = replace(full, concordance=replace(full.concordance, lower=0.49))
    others = tuple(one for one in fit.combined.sub_models if one is not full)
    useless = replace(fit, combined=replace(fit.combined, sub_models=(weak, *others)))
    with pytest.raises(NotComputable) as refused:
        export_combined(tmp_path / "combined", [useless], [site], simulated(), name="none")
    assert refused.value.code == "NO_EFFECT"
    assert not (tmp_path / "combined").exists()
