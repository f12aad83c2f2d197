"""Segmenters beside each other: results that are kept, figures, tables, and networks opened from a training."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.anatomy import Anatomy, NoAnatomy
from lymphoma.errors import BundleRefused, NotComputable, TrainingFailed
from lymphoma.imaging import Volume
from lymphoma.lesions import label_lesions
from lymphoma.segmentation.agreement import LesionAgreement, against
from lymphoma.segmentation.delineation import Candidate, Delineation
from lymphoma.segmentation.describe import NETWORK_FEATURES, PLAIN_FEATURES
from lymphoma.segmentation.evaluate import generator_a, judge, main
from lymphoma.segmentation.evaluated import Kept, figures_of, read_evaluation, tables_of, write_evaluation
from lymphoma.segmentation.methods import Method, hybrid_method, lamp_method, plain_method, threshold_methods
from lymphoma.segmentation.network import LampNetwork, LampShape
from lymphoma.segmentation.plain import plain_network
from lymphoma.segmentation.reviewer import Judge, Reviewer
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Case, Subject
from lymphoma.training.result import save_weights

from tests.acceptance.segmentation import BEGIN, END, GeneratorB, with_tables

pytestmark = pytest.mark.unit

AFFINE = np.diag([10.0, 10.0, 10.0, 1.0])  # 1 mL a voxel


def volume(array: np.ndarray) -> Volume:
    return Volume(array, AFFINE)


@dataclass
class Cohort:
    """Two patients with a lesion of 4 mL at SUV 8 and a bladder of 27 mL at SUV 20."""

    loaded: list[str] = field(default_factory=list)
    version: str = "1"
    name: str = "two"
    virtual: bool = True

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return tuple(Subject(f"P{n}", "here", ClinicalFactors(), None, None, f"{n}-{self.version}") for n in range(2))

    def load(self, subject: Subject) -> Case:
        self.loaded.append(subject.patient_id)
        suv, lesions = np.ones((12, 12, 12), np.float32), np.zeros((12, 12, 12), np.uint16)
        suv[2:4, 2:4, 2] = 8.0
        lesions[2:4, 2:4, 2] = 1
        suv[6:9, 6:9, 6:9] = 20.0
        ct = volume(np.zeros(suv.shape, np.float32))
        return Case(subject, volume(suv), ct, volume(lesions), Anatomy("none"))


@dataclass(frozen=True)
class Judging:
    """Takes SUV >= 4 for two candidates: the hot one is to be confirmed."""

    name: str = "judging"
    description: str = "a stand-in"
    min_volume_ml: float = 3.0
    connectivity: int = 26
    needs_organs: bool = True

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        assert anatomy.engine == "none"
        labels = np.where(suv.array > 10, 1, np.where(suv.array > 4, 2, 0)).astype(np.uint16)
        judged = (
            Candidate(1, 1, "to_confirm", 0.5, None, 27.0, 20.0, (0.0, 0.0, 0.0)),
            Candidate(2, 2, "accepted", 0.9, None, 4.0, 8.0, (0.0, 0.0, 0.0)),
        )
        return Delineation(suv.with_array(labels), judged, suv.with_array(labels))


METHODS = (*threshold_methods(3.0, ("suv4",)), Method("hybrid", Judging(), "1", judges=True))


def test_accepted_lesions_are_judged_and_those_to_be_confirmed_beside_them(tmp_path: Path) -> None:
    judged = judge(Cohort(), METHODS, NoAnatomy(), Kept(tmp_path))
    assert {name: [round(one.found_ml, 6) for one in found] for name, found in judged.items()} == {
        "suv4": [31.0, 31.0],
        "hybrid": [4.0, 4.0],
        "hybrid_unconfirmed": [31.0, 31.0],
    }
    assert judged["hybrid"][0].dice == 1.0
    assert judged["suv4"][0].false_positive_ml == pytest.approx(27.0)
    spared = against(judged["hybrid"], judged["suv4"], resamples=50)
    assert (spared.removed.estimate, spared.kept.estimate) == pytest.approx((1.0, 1.0))


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    cohort, kept = Cohort(), Kept(tmp_path)
    first = judge(cohort, METHODS, NoAnatomy(), kept)
    assert cohort.loaded == ["P0", "P1"]
    assert judge(cohort, METHODS, NoAnatomy(), kept) == first
    assert cohort.loaded == ["P0", "P1"]
    next(iter(sorted(tmp_path.glob("*.hybrid.json")))).unlink()  # as a stop in between leaves it
    assert judge(cohort, METHODS, NoAnatomy(), kept) == first
    assert len(cohort.loaded) == 3


def test_another_patient_or_method_is_judged_anew(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    judge(Cohort(), METHODS, NoAnatomy(), kept)
    changed = Cohort(version="2")
    judge(changed, METHODS, NoAnatomy(), kept)
    judge(changed, (METHODS[0], replace(METHODS[1], identity="2")), NoAnatomy(), kept)
    assert len(changed.loaded) == 4
    (damaged,) = list(tmp_path.glob("*.suv4.json"))[:1]
    damaged.write_text("{")
    judge(changed, METHODS[:1], NoAnatomy(), kept)
    assert len(changed.loaded) == 5


def test_a_patient_without_a_truth_is_refused(tmp_path: Path) -> None:
    class Untold(Cohort):
        def load(self, subject: Subject) -> Case:
            return replace(super().load(subject), lesions=None)

    with pytest.raises(NotComputable, match="REFERENCE_MISSING"):
        judge(Untold(), METHODS, NoAnatomy(), Kept(tmp_path))


GOOD = LesionAgreement(10.0, 10.0, 9.0, 0.0, 1.0, found=2, found_met=2, true=2, true_met=1, large=0, large_met=0)
OVER = LesionAgreement(30.0, 10.0, 10.0, 20.0, 0.0, found=5, found_met=1, true=2, true_met=2, large=0, large_met=0)


def test_figures_survive_their_file_and_stand_in_tables(tmp_path: Path) -> None:
    words = {"suv4": "SUV", "lamp": "network"}
    cohorts = {"generator A": {"suv4": [OVER] * 4, "lamp": [GOOD] * 4}, "generator B": {"suv4": [OVER], "lamp": [OVER]}}
    evaluation = figures_of(cohorts, words)
    write_evaluation(tmp_path / "f.json", evaluation)
    again = read_evaluation(tmp_path / "f.json")
    assert math.isnan(again.rows[0].figures.recall_large.estimate)
    assert tables_of(again) == tables_of(evaluation)
    assert b"NaN" not in (tmp_path / "f.json").read_bytes()
    lines = tables_of(evaluation).splitlines()
    assert "### generator A, 4 patients" in lines
    (row,) = [line for line in lines if line.startswith("| lamp | 0.90 (0.90, 0.90)")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[3:7] == ["0.0 (0.0, 0.0)", "1.0 (1.0, 1.0)", "1.00 (1.00, 1.00)", "0.50 (0.50, 0.50)"]
    assert cells[7] == "-"
    assert cells[-2:] == ["0.95 (0.95, 0.95)", "0.90 (0.90, 0.90)"]
    assert not any("less plain" in line for line in lines)
    cohorts["generator A"] |= {"plain": [OVER] * 4}
    more = tables_of(figures_of(cohorts, words | {"plain": "U-Net"})).splitlines()
    assert any(line.startswith("| lamp less plain, generator A | 0.40 (0.40, 0.40)") for line in more)
    assert any(line.startswith("| lamp | 0.40") for line in lines)  # the gap of Dice, .9 - .5


def test_a_page_takes_the_tables_between_its_marks() -> None:
    page = f"# Title\n\n{BEGIN}\nold\n{END}\nrest\n"
    once = with_tables(page, "new\n")
    assert once == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\nrest\n"
    assert with_tables(once, "new\n") == once
    with pytest.raises(ValueError, match="no lines"):
        with_tables("# Title\n", "new\n")


def test_generator_b_as_a_cohort_makes_the_patient_of_its_seed() -> None:
    cohort = GeneratorB(2, spacing_mm=12.0)
    assert len({subject.content for subject in cohort.subjects}) == 2
    case = cohort.load(cohort.subjects[1])
    assert case.subject.patient_id == cohort.subjects[1].patient_id
    assert case.lesions is not None


def test_generator_a_gives_the_patients_of_the_set() -> None:
    assert list(generator_a(3).seeds) == [4_020_000, 4_020_001, 4_020_002]
    assert len(generator_a(1000).seeds) == 80


@pytest.fixture
def study() -> tuple[Volume, Volume]:
    rng = np.random.default_rng(1)
    suv = np.zeros((20, 24, 22), np.float32)
    suv[2:18, 2:22, 2:20] = rng.uniform(0.5, 6.0, size=(16, 20, 18))
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    return Volume(suv, affine), Volume(np.where(suv > 0, 40.0, -1024.0).astype(np.float32), affine)


def test_networks_open_from_a_training_and_draw(tmp_path: Path, study: tuple[Volume, Volume]) -> None:
    torch.manual_seed(3)
    networks = {"lamp": LampNetwork(LampShape()), "plain": plain_network()}
    for name, network in networks.items():
        (tmp_path / name).mkdir()
        save_weights(tmp_path / name, network.state_dict(), network.state_dict())
    for method in (lamp_method(tmp_path / "lamp", 0.0), plain_method(tmp_path / "plain", 0.0)):
        drawn = method.segmenter.segment(*study, Anatomy("none"))
        assert drawn.lesion_map.same_grid(study[0])
        assert drawn.probability is not None
        (mask,) = method.masks(drawn)
        np.testing.assert_array_equal(mask, drawn.probability.array > 0.5)
        assert 0.0 < drawn.probability.array.max() < 1.0
    assert lamp_method(tmp_path / "lamp", 0.0).identity != lamp_method(tmp_path / "lamp", 3.0).identity


def always(features: tuple[str, ...], log_odds: float) -> Judge:
    wide = (0.0,) * len(features)
    return Judge(features, log_odds, (), 1.0, 0.0, (-1e9,) * len(features), (1e9,) * len(features), wide, 1, 1)


def test_the_hybrid_draws_candidates_and_asks_its_reviewer(tmp_path: Path, study: tuple[Volume, Volume]) -> None:
    network = LampNetwork(LampShape())
    save_weights(tmp_path, network.state_dict(), network.state_dict())
    found = {}
    for log_odds in (3.0, 0.0):
        features = (*PLAIN_FEATURES, *NETWORK_FEATURES)
        reviewer = Reviewer(always(features, log_odds), always(PLAIN_FEATURES, -3.0))
        (tmp_path / "review.json").write_text(reviewer.to_json())
        method = hybrid_method(tmp_path, tmp_path / "review.json", "organs", 3.0)
        assert method.needs_organs
        assert method.names == ("hybrid", "hybrid_unconfirmed")
        organs = Anatomy("given", study[0].with_array(np.zeros(study[0].array.shape, np.uint8)), {1: "liver"})
        found[method.identity] = method.masks(method.segmenter.segment(*study, organs))
    sure, unsure = found.values()
    taken = label_lesions(study[0].array >= 4.0, study[0].voxel_volume_ml, 3.0) > 0
    assert taken.any()
    np.testing.assert_array_equal(sure[0], taken)
    assert not unsure[0].any()
    np.testing.assert_array_equal(unsure[1], taken)


def test_a_hybrid_without_a_reviewer_is_refused(tmp_path: Path) -> None:
    network = LampNetwork(LampShape())
    save_weights(tmp_path, network.state_dict(), network.state_dict())
    with pytest.raises(BundleRefused, match="BUNDLE_FILE_MISSING"):
        hybrid_method(tmp_path, None, "organs", 3.0)


def test_other_weights_are_another_method(tmp_path: Path) -> None:
    identities = set()
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        network = plain_network()
        save_weights(tmp_path, network.state_dict(), network.state_dict())
        identities.add(plain_method(tmp_path, 3.0).identity)
    assert len(identities) == 2


def test_a_folder_without_a_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="HANDOVER_UNUSABLE"):
        main(["--run", str(tmp_path), "--out", str(tmp_path / "out"), "--patients", "1"])
