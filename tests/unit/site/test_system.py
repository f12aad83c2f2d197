"""The site's model as a system, and the bundles of the fixtures and of the product."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import BundleRefused
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.store import model_to_json
from lymphoma.prognosis.system import StudyArrays, installed_systems
from lymphoma.simulation.pet_measures import pet_measures
from lymphoma.simulation.sampler import sample_patients
from lymphoma.simulation.scan import HOSPITAL
from lymphoma.site.export import fit_site
from lymphoma.site.features import FEATURES
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.concordance import harrell
from lymphoma.training.bundle import Bundle, load_bundle
from lymphoma.training.statistics import in_range
from nodal.evaluation.patients import patients_of
from nodal.simulate import Mechanism, order_of_set, simulate

from tests.bundles import feature_patients, site_bundle, site_fit

pytestmark = pytest.mark.unit

PET = PetMeasures(300.0, 2200.0, 22.0, 18.0, 8, 450.0, 380.0, 0.22)


def study(pet: PetMeasures) -> StudyArrays:
    volume = Volume(np.zeros((2, 2, 2), np.float32), np.eye(4))
    return StudyArrays(volume, volume, volume, Anatomy("none"), ClinicalFactors(age_years=60.0), pet)


def shipped() -> Bundle:
    with as_file(files("lymphoma.site") / "bundle") as folder:
        return load_bundle(folder, installed_systems())


def test_the_room_is_a_system() -> None:
    system = installed_systems()["site"]
    assert system.name == "site"
    assert system.needs_lesions
    assert system.needs_whole_body


def test_it_computes_no_score_and_the_features_of_the_range_check(tmp_path: Path) -> None:
    bundle = site_bundle(tmp_path / "site")
    scored = installed_systems()["site"].score(bundle, study(PET))
    assert scored.scores == {}
    assert bundle.statistics.names == FEATURES
    assert in_range(np.array(scored.features), bundle.statistics).range == "in"
    hot = replace(PET, suv_max=220.0, suv_peak=180.0, tlg_g=22_000.0)  # an SUV ten times too high
    features = installed_systems()["site"].score(bundle, study(hot)).features
    assert in_range(np.array(features), bundle.statistics).range == "outside"


def test_a_virtual_cohort_gives_level_e0(tmp_path: Path) -> None:
    bundle = load_bundle(site_bundle(tmp_path / "site").folder, ("site",))
    assert (bundle.evidence.level, bundle.metadata.nodal.trained_on) == ("E0", "virtual")
    assert bundle.evidence.trained
    metrics = {metric.name: metric for metric in bundle.evidence.metrics}
    assert set(metrics) == {"pfs_harrell_c", "pfs_calibration_slope", "os_harrell_c", "os_calibration_slope"}
    assert bundle.evidence.internal is not None
    for endpoint in ("pfs", "os"):
        figures, metric = bundle.evidence.internal.of(endpoint), metrics[f"{endpoint}_harrell_c"]
        assert figures is not None
        assert (figures.harrell_c, figures.low, figures.high) == (metric.value, metric.low, metric.high)
        assert figures.out_of_fold
        model = bundle.survival(endpoint)
        assert model is not None
        assert (figures.n, figures.events) == (model.cox.n, model.cox.events)
        assert model.grouped_out_of_fold


def test_out_of_fold_predictions_go_by_content_and_hold_no_id(tmp_path: Path) -> None:
    bundle, patients = site_bundle(tmp_path / "site"), feature_patients()
    kept = bundle.out_of_fold()
    assert kept is not None
    fit = site_fit().endpoints[1]
    wanted = {patients.contents[i]: lp for i, lp in zip(fit.index, fit.fit.out_of_fold, strict=True)}
    assert kept.linear_predictors["os"] == wanted
    for file in bundle.folder.rglob("*.*"):
        if file.is_file():
            assert "NODAL-V" not in file.read_text(), file.name


def test_a_cohort_of_patients_gives_level_e1_that_waits_for_its_acceptance(tmp_path: Path) -> None:
    waiting = site_bundle(tmp_path / "waiting", "E1", accepted=False)
    with pytest.raises(BundleRefused, match="BUNDLE_NOT_ACCEPTED"):
        load_bundle(waiting.folder, ("site",))
    assert load_bundle(waiting.folder, ("site",), for_acceptance=True).evidence.level == "E1"
    accepted = load_bundle(site_bundle(tmp_path / "accepted", "E1").folder, ("site",))
    assert accepted.metadata.nodal.trained_on == "patients"
    assert accepted.metadata.nodal.generator is None


def test_the_shipped_bundle_is_small_and_says_what_it_is() -> None:
    bundle = shipped()
    assert sum(file.stat().st_size for file in bundle.folder.rglob("*") if file.is_file()) < 500_000
    assert (bundle.evidence.level, bundle.metadata.nodal.trained_on) == ("E0", "virtual")
    assert bundle.evidence.trained
    assert "not for clinical use" in (bundle.folder / "docs/README.md").read_text()
    for endpoint in ("pfs", "os"):
        model = bundle.survival(endpoint)
        assert model is not None
        seen = model.predict(feature_patients().prospect(0))
        assert seen.linear_predictor[0] == seen.linear_predictor[1]
        assert [reading.months for reading in seen.reading.survival] == [12.0, 36.0, 60.0]


def test_the_shipped_bundle_read_and_written_again_is_the_same() -> None:
    for endpoint in ("pfs", "os"):
        model = shipped().survival(endpoint)
        assert model is not None
        assert model_to_json(model) == (shipped().folder / f"survival/{endpoint}.json").read_text()


def test_the_shipped_model_orders_patients_it_never_saw() -> None:
    """600 virtual patients of other seeds: a C of the size that its own evidence says."""
    bundle, patients = shipped(), feature_patients()
    for endpoint in ("pfs", "os"):
        model, evidence = bundle.survival(endpoint), bundle.evidence.internal
        assert model is not None
        assert evidence is not None
        figures = evidence.of(endpoint)
        assert figures is not None
        index = patients.known(endpoint)
        risk = [model.predict(patients.prospect(int(i))).linear_predictor[0] for i in index]
        found = harrell(patients.follow_up(endpoint, index), risk)
        assert found == pytest.approx(figures.harrell_c, abs=0.06)  # two standard errors at 600 patients are 0.05


def test_measures_from_features() -> None:
    table = sample_patients(range(5_000_000, 5_000_040), variety=HOSPITAL).measured
    for index, pet in enumerate(pet_measures(table)):
        one = table.patient(index)
        place = np.stack([one.lesions.lateral, one.lesions.depth, one.lesions.height], axis=1) * np.array(one.size_mm)
        distance = np.linalg.norm(place[:, None] - place[None], axis=2)
        assert pet.dmax_bulk_mm == pytest.approx(distance[np.argmax(one.lesions.volume_ml)].max(), rel=1e-5)
        assert pet.dmax_mm == pytest.approx(distance.max(), rel=1e-4)  # the sampler kept it in single precision
        assert pet.tmtv_ml == pytest.approx(one.tmtv_ml)
        assert pet.tlg_g == pytest.approx(float((one.lesions.volume_ml * one.lesions.suv_mean).sum()), rel=1e-5)
        assert pet.suv_max == one.lesions.suv_max.max()
        assert pet.suv_peak == one.lesions.suv_peak.max()
        assert pet.lesion_count == one.count
        assert 0 <= (pet.dmax_bulk_mm or 0) <= (pet.dmax_mm or 0) + 0.1


def test_the_shipped_bundle_can_be_made_again(tmp_path: Path) -> None:
    """The commands of docs/how-to/train-a-site-model.md, but for the number of resamples behind the intervals."""
    folder = tmp_path / "l1-train-1"
    simulate(order_of_set("l1-train-1", folder, Mechanism()))
    patients = patients_of(folder)
    fit = fit_site(patients, resamples=20)
    bundle = shipped()
    assert (bundle.evidence.cohort, bundle.evidence.n) == (patients.cohort, len(patients))
    # another processor may change the last bits of the features, and with them those of the coefficients
    close = {"rtol": 1e-6, "atol": 1e-9}
    for one in fit.endpoints:
        model = bundle.survival(one.fit.model.endpoint)
        assert model is not None
        assert model.terms == one.fit.model.terms
        assert np.allclose(model.cox.coefficients, one.fit.model.cox.coefficients, **close)
        assert np.allclose(model.cutoffs, one.fit.model.cutoffs, **close)
        assert np.allclose(model.percentiles, one.fit.model.percentiles, **close)
        assert [group.n for group in model.groups] == [group.n for group in one.fit.model.groups]
        seen, again = (each.predict(patients.prospect(7)) for each in (model, one.fit.model))
        assert np.allclose(seen.curve, again.curve, equal_nan=True, **close)
    assert np.allclose(bundle.statistics.mean, fit.statistics.mean, **close)
