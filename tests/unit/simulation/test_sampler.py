"""The feature sampler: it follows the plans, keeps what goes together, and finds itself again when refitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lymphoma.simulation.lesions import LesionTruth
from lymphoma.simulation.plan import PatientPlan, draw_patient
from lymphoma.simulation.sampler import SampledPatients, sample_patients, stored_sampler
from lymphoma.simulation.sampler_fit import MeasuredPatient, fit_sampler, match_lesions
from lymphoma.simulation.sampler_model import FeatureSampler
from lymphoma.simulation.scan import HOSPITAL
from lymphoma.simulation.sites import GROUPS, ORGANS

from tests.acceptance.two_samples import pooled_features, pooled_names, two_sample_auc

pytestmark = pytest.mark.unit

PATIENTS = 160
SEEDS = range(9_100_000, 9_100_000 + PATIENTS)


@pytest.fixture(scope="module")
def sampled() -> SampledPatients:
    return sample_patients(SEEDS, variety=HOSPITAL)


def test_features_follow_the_plan(sampled: SampledPatients) -> None:
    table = sampled.measured
    plans = [draw_patient(seed, variety=HOSPITAL) for seed in SEEDS[:60]]
    planned = np.array([sum(lesion.volume_ml for lesion in plan.disease.lesions) for plan in plans])
    focal = np.array([plan.disease.marrow_suv is None and plan.disease.spleen_suv is None for plan in plans])
    # measured volume follows the planned one but for what blur, noise and the voxels do to it
    both = np.log(np.stack((planned, table.tmtv_ml[:60])))[:, focal & (planned > 0)]
    assert np.corrcoef(both)[0, 1] > 0.95
    assert table.clinical[:60] == tuple(plan.clinical for plan in plans)
    assert table.patient_ids[0] == f"NODAL-V-{SEEDS[0]}"


def test_features_are_possible(sampled: SampledPatients) -> None:
    for table in (sampled.measured, sampled.true):
        lesions = table.lesions
        for name in ("volume_ml", "suv_max", "suv_peak", "suv_mean", "suv_cv", "hu_sd"):
            values = getattr(lesions, name)
            assert np.isfinite(values).all()
            assert (values >= 0).all()
        assert (lesions.suv_peak <= lesions.suv_max).all()
        assert (lesions.suv_mean <= lesions.suv_max).all()
        assert set(np.unique(lesions.group)) <= set(range(len(GROUPS)))
        assert ((lesions.height > -0.2) & (lesions.height < 1.2)).all()
    organs = sampled.measured.organs
    assert np.array_equal(organs.present, np.isfinite(organs.suv_mean))
    liver = [organ.name for organ in ORGANS].index("liver")
    assert organs.present[:, liver].mean() > 0.9
    # one scale for all organs: uptake of spleen and liver goes together
    spleen = organs.suv_mean[:, [organ.name for organ in ORGANS].index("spleen")]
    known = np.isfinite(spleen) & np.isfinite(organs.suv_mean[:, liver])
    assert np.corrcoef(np.log(spleen[known]), np.log(organs.suv_mean[known, liver]))[0, 1] > 0.3


def test_distances_belong_to_the_lesions(sampled: SampledPatients) -> None:
    table = sampled.measured
    assert (table.dmax_mm[table.counts == 1] == 0).all()
    assert np.isnan(table.dmax_mm[table.counts == 0]).all()
    assert np.nanmax(table.dmax_mm) < 1300


def test_same_seed_same_features(sampled: SampledPatients) -> None:
    part, again = (sample_patients(SEEDS[5:9], variety=HOSPITAL).measured for _ in range(2))
    assert np.array_equal(again.lesions.suv_max, part.lesions.suv_max)
    assert np.array_equal(again.organs.suv_mean, part.organs.suv_mean, equal_nan=True)
    low, high = sampled.measured.starts[5], sampled.measured.starts[9]
    # a batched product may differ in the last digit of its float32
    assert part.lesions.suv_max == pytest.approx(sampled.measured.lesions.suv_max[low:high], rel=1e-4)
    assert part.organs.hu_mean == pytest.approx(sampled.measured.organs.hu_mean[5:9], rel=1e-4, abs=1e-2, nan_ok=True)


def test_the_model_survives_its_file(tmp_path: Path) -> None:
    model = stored_sampler()
    model.save(tmp_path / "again.npz")
    again = FeatureSampler.load(tmp_path / "again.npz")
    assert np.array_equal(again.lesion_residuals, model.lesion_residuals, equal_nan=True)
    assert again.fields.tolist() == model.fields.tolist()
    assert (tmp_path / "again.npz").stat().st_size < 700_000


def test_planned_and_placed_lesions_find_each_other() -> None:
    planned = draw_patient(SEEDS[0], lesions=5).disease.lesions
    truths = tuple(
        LesionTruth(
            number, lesion.station, 0.95 * lesion.volume_ml, lesion.suv, (0.0, 0.0, 0.0), None, "abdomen", lesion.suv
        )
        for number, lesion in enumerate((planned[3], planned[0], planned[4]), start=1)
    )
    assert match_lesions(planned, truths) == {3: 0, 0: 1, 4: 2}
    assert match_lesions(planned, ()) == {}


def test_a_refit_finds_the_distribution_again(sampled: SampledPatients) -> None:
    """A model fitted to what the shipped one gives: a classifier can hardly tell the two."""
    plans = [draw_patient(seed, variety=HOSPITAL) for seed in SEEDS]
    whole = [
        index for index, plan in enumerate(plans) if sampled.measured.counts[index] == len(plan.disease.lesions) > 0
    ]
    patients = [_as_measured(sampled, plans[index], index) for index in whole]
    model = fit_sampler(patients)
    other = sample_patients(range(9_200_000, 9_200_000 + PATIENTS), variety=HOSPITAL, sampler=model)
    assert len(pooled_names()) == pooled_features(other.measured).shape[1]
    # 0.5 is the same; the limit is that of the acceptance against images
    assert two_sample_auc(sampled.measured, other.measured, folds=3, trees=100) < 0.65


def _as_measured(sampled: SampledPatients, plan: PatientPlan, index: int) -> MeasuredPatient:
    """A sampled patient as if it had been built; lesions of table and plan are both sorted by volume."""
    measured, true = sampled.measured.patient(index), sampled.true.patient(index)
    truths = tuple(
        LesionTruth(number, lesion.station, lesion.volume_ml, lesion.suv, (0.0, 0.0, 0.0), None, "abdomen", lesion.suv)
        for number, lesion in enumerate(plan.disease.lesions, start=1)
    )
    return MeasuredPatient(plan, truths, measured, true)
