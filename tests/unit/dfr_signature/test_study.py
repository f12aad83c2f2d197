"""The study of two centres, end to end at a small size: slabs, outcomes, signatures, tables, page."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.dfr_signature.config import DfrConfig, SignatureConfig
from lymphoma.dfr_signature.features import DeepFeatures
from lymphoma.dfr_signature.inputs import InputSettings, contours_of
from lymphoma.dfr_signature.radiomics_signature import (
    ARRAY,
    complete_rows,
    radiomics_of,
    variant_features,
    variant_name,
    variant_scores,
)
from lymphoma.dfr_signature.study import __main__ as study_module
from lymphoma.dfr_signature.study.__main__ import Plan, run_study
from lymphoma.dfr_signature.study.cells import Cell, Centres, Chances, known_rows, run_cell
from lymphoma.dfr_signature.study.centres import CENTRES, Centre
from lymphoma.dfr_signature.study.outcomes import MODES, slab_eta, with_slab_outcomes
from lymphoma.dfr_signature.study.page import StudyWords, markdown
from lymphoma.dfr_signature.study.result import judge, read_groups, save_group
from lymphoma.dfr_signature.study.slabs import made_slabs, make_slabs
from lymphoma.evaluation.input_cohort import stored_truth, truth_of
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.radiomics import NAMES
from lymphoma.simulation.feature_table import stack_features
from lymphoma.simulation.pet_measures import pet_measures
from lymphoma.simulation.sampler import sample_patients

from tests.unit.dfr_signature.made_up import box, cohort_in, study
from tests.unit.dfr_signature.test_fit import OFFERED, N, made_up

pytestmark = pytest.mark.unit

CONFIG = DfrConfig(
    endpoints=("pfs",), folds=3, resamples=60, signature=SignatureConfig(folds=2, stack_levels=0, learners={"LR": {}})
)


MIXING = np.random.default_rng(3).normal(size=(14 * 14, 1000)) / 100


@dataclass(frozen=True)
class Projection:
    """In place of an image network: 1000 random means of the pixels."""

    digest: str = "ab" * 32

    def features(self, crops: np.ndarray) -> np.ndarray:
        small = crops[..., 0].reshape(len(crops), 14, 16, 14, 16).mean(axis=(2, 4)).reshape(len(crops), -1)
        return small @ MIXING


def centres() -> Centres:
    """The fused image tells what the hazard is made of, the others are noise."""
    learn, taught = _patients(1)
    other, asked = _patients(2)
    rng = np.random.default_rng(9)

    def noise() -> DeepFeatures:
        values = rng.normal(size=(N, OFFERED))
        return DeepFeatures(values, values + 0.05 * rng.normal(size=(2, N, OFFERED)), "cd" * 32)

    return Centres(
        learn,
        other,
        {"fused": taught, "random": noise(), "ct": noise()},
        {"fused": asked, "random": noise(), "ct": noise()},
    )


def _patients(seed: int) -> tuple:  # type: ignore[type-arg]
    patients, features = made_up(1.0, seed)
    rng = np.random.default_rng([seed, 4])
    # both measures share in the mechanism: a cut of mere noise may leave a handful of patients on one side
    heat, size = features.drawn[:, 0] + rng.normal(size=N), features.drawn[:, 1] + rng.normal(size=N)
    pet = tuple(
        PetMeasures(suv_max=15 + 4 * float(a), tmtv_ml=float(np.exp(5 + b))) for a, b in zip(heat, size, strict=True)
    )
    clinical = tuple(
        replace(one, stage=int(rng.integers(1, 5)), age_years=float(rng.uniform(30, 85)), ecog=int(rng.integers(0, 4)))
        for one in patients.clinical
    )
    return replace(patients, pet=pet, clinical=clinical), features


@pytest.mark.paper("dfr-two-centres")
def test_a_signature_learns_at_one_centre_and_is_judged_at_both(tmp_path: Path) -> None:
    given = centres()
    chances = {arm: run_cell(Cell("texture", "pfs", arm), given, CONFIG, tmp_path) for arm in given.taught}
    group = judge("texture", "pfs", given, chances, CONFIG)
    areas = {one.name: one for one in group.signatures}
    assert areas["fused"].elsewhere.lower is not None
    assert areas["fused"].elsewhere.lower > 0.5
    assert areas["random"].elsewhere.lower is not None
    assert areas["random"].elsewhere.lower < 0.5, "noise orders nobody"
    gain = next(one for one in group.signature_gains if one.second == "random")
    assert gain.difference.lower is not None
    assert ("beats" in gain.says) == (gain.difference.lower > 0)
    assert not group.problems
    assert {one.name for one in group.models} >= {"combined", "nccn_ipi"}
    assert group.univariate
    save_group(tmp_path / "results" / "texture-pfs.json", group)
    assert read_groups(tmp_path / "results") == [group]
    page = markdown([group], StudyWords(2 * N, "a made-up network", "LR"))
    assert "| signature of the fused image |" in page
    assert "## Mechanism: texture" in page
    assert gain.says in page
    run_again = run_cell(Cell("texture", "pfs", "fused"), given, CONFIG, tmp_path)
    assert run_again.elsewhere is not None
    assert chances["fused"].elsewhere is not None
    np.testing.assert_array_equal(run_again.elsewhere, chances["fused"].elsewhere)


def test_patients_of_the_other_centre_change_nothing_that_is_fitted(tmp_path: Path) -> None:
    given = centres()
    own = run_cell(Cell("texture", "pfs", "fused"), given, CONFIG, tmp_path / "one")
    turned = {arm: replace(one, drawn=-one.drawn, repeats=-one.repeats) for arm, one in given.asked.items()}
    other = run_cell(Cell("texture", "pfs", "fused"), replace(given, asked=turned), CONFIG, tmp_path / "two")
    assert own.over_folds is not None
    assert other.over_folds is not None
    np.testing.assert_array_equal(own.over_folds, other.over_folds)
    assert not np.array_equal(own.elsewhere, other.elsewhere)


def test_what_cannot_be_fitted_is_said_on_the_page(tmp_path: Path) -> None:
    given = centres()
    group = judge("null", "pfs", given, {"fused": Chances(None, None, "too few events")}, CONFIG)
    assert group.problems == ("fused: too few events",)
    assert "Not computed: fused: too few events." in markdown([group], StudyWords(1, "x", "LR"))


def test_rows_without_features_of_one_arm_are_left_out_of_all() -> None:
    given = centres()
    taught = dict(given.taught)
    holes = taught["ct"].drawn.copy()
    holes[:7] = np.nan
    taught["ct"] = replace(taught["ct"], drawn=holes)
    assert known_rows(given.learn, taught, "pfs").tolist() == list(range(7, N))


def test_outcomes_follow_mechanisms_that_are_standard_over_both_centres() -> None:
    table = sample_patients(range(9_500_000, 9_500_300)).true
    for mode in MODES:
        eta = slab_eta(table, mode)
        assert eta.mean() == pytest.approx(0, abs=1e-9)
        assert eta.std() == pytest.approx(0 if mode == "null" else 1)
    burden = slab_eta(table, "burden")
    assert np.corrcoef(burden, np.log(np.maximum(table.tmtv_ml, 1e-3)))[0, 1] > 0.9
    assert abs(np.corrcoef(burden, slab_eta(table, "texture"))[0, 1]) < 0.3


def test_slabs_of_a_centre_hold_crops_radiomics_and_the_truth(tmp_path: Path) -> None:
    centre = replace(CENTRES[1], edge_mm=10.0)
    assert make_slabs(tmp_path / "south", centre, 2, CONFIG.inputs)
    cohort = made_slabs(tmp_path / "south")
    arrays = cohort.read(0)
    assert arrays["drawn"].shape == (3, 1, 224, 224)
    assert arrays[ARRAY].shape == (3, len(NAMES))
    assert set(cohort.patients.centres) == {"south"}
    assert cohort.patients.known("pfs").size == 0
    assert len(truth_of(cohort.folder, cohort.patients)) == len(cohort)
    features = variant_features(cohort, Projection(), CONFIG, tmp_path / "features")  # type: ignore[arg-type]
    assert {name: one.drawn.shape for name, one in features.items()} == {
        "fused": (len(cohort), 1000),
        "ct": (len(cohort), 1000),
        "pet": (len(cohort), 1000),
        "radiomics": (len(cohort), len(NAMES)),
    }
    assert not np.array_equal(features["ct"].drawn, features["pet"].drawn)
    (twice,) = with_slab_outcomes((cohort,), "null")
    assert twice.patients.known("os").size == len(cohort)
    assert not make_slabs(tmp_path / "late", centre, 1, CONFIG.inputs, ends_s=0.0)


@pytest.mark.paper("dfr-radiomics")
def test_variants_go_the_same_way_over_the_same_folds(tmp_path: Path) -> None:
    patients, features = made_up(1.0)
    holes = features.drawn.copy()
    holes[3] = np.nan
    noise = np.random.default_rng(1).normal(size=(N, 30))
    other = DeepFeatures(noise, np.stack([noise, noise + 0.01]), "x")
    both = {"fused": features, "radiomics": replace(other, drawn=np.where(np.isnan(holes[:, :30]), np.nan, noise))}
    assert complete_rows(both).tolist() == [at for at in range(N) if at != 3]  # type: ignore[arg-type]
    found = variant_scores(patients, "pfs", both, CONFIG, tmp_path)  # type: ignore[arg-type]
    assert (
        set(found.values)
        == {"dfr_signature_pfs", variant_name("radiomics", "pfs")}
        == {
            "dfr_signature_pfs",
            "dfr_radiomics_pfs",
        }
    )
    assert all(len(one) == N - 1 and np.isfinite(one).all() for one in found.values.values())
    assert sorted(np.concatenate(list(found.parts)).tolist()) == list(range(N - 1))


@pytest.mark.paper("dfr-radiomics")
def test_radiomics_are_of_the_drawn_and_the_perturbed_contours() -> None:
    values = radiomics_of(study(box(12, 15, 20)))[ARRAY]
    assert values.shape == (3, len(NAMES))
    assert np.isfinite(values).all()
    volume = NAMES.index(next(name for name in NAMES if name.endswith("VoxelVolume")))
    assert values[1, volume] > values[0, volume], "dilated"
    assert np.isnan(radiomics_of(study(box(12, 15, 20, (1, 1, 1))))[ARRAY][0]).all()


def test_inputs_without_radiomics_have_no_such_variant(tmp_path: Path) -> None:
    cohort = cohort_in(tmp_path / "plain", range(2), CONFIG.inputs)
    assert set(variant_features(cohort, Projection(), CONFIG, tmp_path / "f")) == {"fused", "ct", "pet"}  # type: ignore[arg-type]


def quick_slabs(
    folder: Path,
    centre: Centre,
    count: int,
    settings: InputSettings,
    *,
    ends_s: float | None = None,
    progress: object = None,
) -> bool:
    """In place of images: grey crops, the brighter the larger the burden of a sampled patient."""
    made = InputFolder.make(folder, InputSource(centre.name, True, "dfr_signature", "made up"))
    table = sample_patients(range(centre.first_seed, centre.first_seed + count)).true
    for number, pet in enumerate(pet_measures(table)):
        one = table.patient(number)
        rng = np.random.default_rng([centre.first_seed, number])
        bright = 0.5 * np.log(max(one.tmtv_ml, 1.0)) - 2
        drawn = np.full((3, 1, 224, 224), bright) + 0.1 * rng.normal(size=(1, 1, 224, 1))
        content = hashlib.sha256(one.patient_id.encode()).hexdigest()
        arrays = {name: (drawn + 0.01 * at).astype(np.float16) for at, name in enumerate(contours_of(settings))}
        truth = stored_truth(stack_features([one]))
        made.keep(KnownPatient(content, centre.name, one.clinical, pet, {"pfs": None, "os": None}, arrays, truth))
    return True


def test_the_study_runs_from_slabs_to_its_page_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_module, "make_slabs", quick_slabs)
    plan = Plan(replace(CONFIG, folds=2), 96, ("burden",), ("pfs",))
    networks = {"fused": Projection(), "random": Projection("ef" * 32)}
    assert run_study(tmp_path, plan, networks)  # type: ignore[arg-type]
    (group,) = read_groups(tmp_path / "results")
    assert (group.learned, group.judged) == (48, 48)
    assert {one.name for one in group.signatures} == {"fused", "ct", "pet", "random"}
    same = next(one for one in group.signature_gains if one.second == "random")
    assert same.difference.value == 0
    assert "not shown, n = 48" in same.says
    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")}
    assert len(files) == 2 * 48 * 4 + 4 * 3, "features of patients by image, chances of folds and of the other centre"
    assert run_study(tmp_path, plan, networks)  # type: ignore[arg-type]
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")} == files
    assert not run_study(tmp_path, replace(plan, ends_s=0.0), networks)  # type: ignore[arg-type]
