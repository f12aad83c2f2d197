"""The signature over the folds: nothing of a patient is in what judges him or her."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.dfr_signature import fit as fit_module
from lymphoma.dfr_signature.config import DfrConfig, Learners, SignatureConfig
from lymphoma.dfr_signature.features import DeepFeatures
from lymphoma.dfr_signature.fit import DfrFit, chances_over_folds, fit_dfr, fit_disjoint, fit_once
from lymphoma.errors import NotComputable
from lymphoma.evaluation.patient_folds import folds_of
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.concordance import harrell
from lymphoma.training.case import Outcome
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.unit

ONE: Learners = {"LR": {}}
CONFIG = DfrConfig(
    endpoints=("pfs",), folds=3, resamples=40, signature=SignatureConfig(folds=2, stack_levels=0, learners=ONE)
)
N, OFFERED = 120, 40


def made_up(effect: float, seed: int = 0) -> tuple[Patients, DeepFeatures]:
    """The first three features make the hazard; every feature is repeatable but the last ten."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(N, OFFERED))
    noise = np.where(np.arange(OFFERED) < OFFERED - 10, 0.1, 3.0)
    repeats = features + noise * rng.normal(size=(2, N, OFFERED))
    eta = effect * features[:, :3].sum(axis=1)
    free, end = 40 * rng.exponential(size=N) * np.exp(-eta), rng.uniform(30, 72, N)
    names = [hashlib.sha256(f"{seed}-{at}".encode()).hexdigest() for at in range(N)]
    outcomes = tuple(Outcome(max(min(t, c), 0.1), bool(t <= c)) for t, c in zip(free, end, strict=True))
    patients = Patients(
        "made up",
        True,
        tuple(f"P{at:03d}" for at in range(N)),
        tuple(names),
        ("one",) * N,
        tuple(ClinicalFactors(age_years=50.0, stage=3, ecog=1, ldh_ratio=1.5, extranodal_sites=()) for _ in range(N)),
        (PetMeasures(),) * N,
        {"pfs": outcomes, "os": (None,) * N},
    )
    return patients, DeepFeatures(features, repeats, "ab" * 32)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> DfrFit:
    return fit_dfr(*made_up(1.0), CONFIG, tmp_path_factory.mktemp("dfr"))


def test_a_mechanism_is_found_out_of_fold(fitted: DfrFit) -> None:
    (one,) = fitted.endpoints
    assert fitted.trained
    assert harrell(one.follow_up, one.probability) > 0.65
    assert [term.name for term in one.fit.model.terms] == ["score:dfr_signature_pfs"]
    assert len({0, 1, 2} & set(one.whole.selection.columns)) >= 2
    assert max(one.whole.selection.columns) < OFFERED - 10, "a feature that another contour changes is not taken"
    assert ((one.probability >= 0) & (one.probability <= 1)).all()


def test_the_groups_are_those_of_the_out_of_fold_signature(fitted: DfrFit) -> None:
    (one,) = fitted.endpoints
    assert one.groups is not None, one.no_groups
    assert one.groups.out_of_fold
    assert one.groups.n == N
    assert one.groups.cutoff in one.probability


@pytest.mark.paper("dfr-training-only")
def test_what_judges_a_patient_has_not_seen_that_patient(fitted: DfrFit, tmp_path: Path) -> None:
    """Other features and outcomes of those whom the first fold held out: its word on all but them would be another,
    its word on a patient among them that kept his own features is the same."""
    patients, features = made_up(1.0)
    split = folds_of(patients, np.arange(N), CONFIG.folds, CONFIG.seed, "pfs")
    (one,) = fitted.endpoints
    held = one.parts[0]
    changed, kept = held[1:], held[0]
    other = features.drawn.copy()
    other[changed] = np.random.default_rng(5).normal(size=(len(changed), OFFERED))
    others = replace(features, drawn=other, repeats=features.repeats - features.drawn + other)
    outcomes = list(patients.outcomes["pfs"])
    for at in changed:
        was = outcomes[at]
        assert was is not None
        outcomes[at] = Outcome(was.months + 3.0, not was.event)
    changed_patients = replace(patients, outcomes={**patients.outcomes, "pfs": tuple(outcomes)})
    again = fit_dfr(changed_patients, others, CONFIG, tmp_path, folds=split).endpoints[0]
    assert again.probability[kept] == one.probability[kept]
    rest = np.setdiff1d(np.arange(N), held)
    assert not np.allclose(again.probability[rest], one.probability[rest])


def test_without_a_mechanism_it_may_not_speak(tmp_path: Path) -> None:
    fit = fit_dfr(*made_up(0.0, seed=3), CONFIG, tmp_path)
    assert not fit.trained
    assert abs(fit.endpoints[0].fit.concordance.estimate - 0.5) < 0.12


@pytest.mark.paper("dfr-training-only", "dfr-ten-folds")
def test_shuffled_outcomes_are_not_foretold_by_the_whole_way(tmp_path: Path) -> None:
    """Labels, repeatability, selection and stack over the folds, with every patient's outcome another one's."""
    patients, features = made_up(1.0)
    everybody = np.arange(N)
    parts = [everybody[first::3] for first in range(3)]
    found = []
    for seed in range(4):
        dealt = np.random.default_rng(seed).permutation(N)
        follow_up = patients.follow_up("pfs", everybody).take(dealt)
        told = chances_over_folds(features, follow_up, parts, CONFIG, tmp_path / str(seed), "pfs")
        found.append(roc_auc_score(follow_up.event, told))
    # one AUC of 120 patients scatters by .055, the mean of four by .03
    assert abs(np.mean(found) - 0.5) < 0.1
    true = patients.follow_up("pfs", everybody)
    assert roc_auc_score(true.event, chances_over_folds(features, true, parts, CONFIG, tmp_path / "t", "pfs")) > 0.65


def test_a_killed_fit_goes_on_and_another_cohort_s_folder_is_not_taken_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patients, features = made_up(1.0)
    fit_dfr(patients, features, CONFIG, tmp_path)
    calls = []

    def counted(*given: object, **named: object) -> object:
        calls.append(given)
        return fit_once(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(fit_module, "fit_once", counted)
    fit_dfr(patients, features, CONFIG, tmp_path)
    assert len(calls) == 1, "the folds are there; the whole is fitted anew"
    (tmp_path / "pfs_1.npy").write_bytes(b"half a fi")
    with pytest.raises(NotComputable, match="FEATURES_UNREADABLE"):
        fit_dfr(patients, features, CONFIG, tmp_path)


def test_features_of_other_patients_are_refused(tmp_path: Path) -> None:
    patients, features = made_up(1.0)
    with pytest.raises(ValueError, match="features of"):
        fit_dfr(patients, features.take(np.arange(5)), CONFIG, tmp_path)


def test_a_disjoint_signature_learns_from_some_and_survival_from_others(tmp_path: Path) -> None:
    learn, taught = made_up(1.0, seed=1)
    judge, asked = made_up(1.0, seed=2)
    fit = fit_disjoint(learn, taught, judge, asked, CONFIG, tmp_path)
    (one,) = fit.endpoints
    assert fit.disjoint
    assert fit.trained
    assert one.index.tolist() == list(range(N))
    known = fit_once(taught, learn.follow_up("pfs", learn.known("pfs")), CONFIG, tmp_path)
    np.testing.assert_array_equal(one.probability, known.probability(asked.drawn))
    assert one.follow_up.months.tolist() == judge.follow_up("pfs", one.index).months.tolist()
    with pytest.raises(ValueError, match="teach"):
        fit_disjoint(learn, taught, learn, taught, CONFIG, tmp_path)
    with pytest.raises(ValueError, match="two networks"):
        fit_disjoint(learn, taught, judge, replace(asked, backbone="cd" * 32), CONFIG, tmp_path)
