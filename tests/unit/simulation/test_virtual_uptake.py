"""Physiological uptake and avid findings: as the published figures say, and where the truth says."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.simulation import PatientPlan, Protocol, build_patient, draw_patient
from lymphoma.simulation.anatomy import Grid, paint_tissues
from lymphoma.simulation.benign import KINDS, Confuser, ConfuserKind, chance_of, draw_confusers
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.person import Person, draw_person
from lymphoma.simulation.physiology import Pattern, UreterFocus, draw_physiology
from lymphoma.simulation.tissues import LABELS, TISSUES, labels_of
from lymphoma.simulation.uptake import Uptake, draw_uptake, physiological_uptake

pytestmark = pytest.mark.unit

PATIENTS = 900
GRID = Grid((215, 116, 116), (4.4, 4.4, 5.0), (-253.0, -253.0, -190.0))


@dataclass(frozen=True, eq=False)
class Population:
    """Plans, and the uptake of every tissue in them, shape (n, 256)."""

    plans: tuple[PatientPlan, ...]
    suv: npt.NDArray[np.float32]

    def of(self, tissue: str, without: tuple[Pattern, ...] = ()) -> npt.NDArray[np.float32]:
        """Uptake of a tissue in patients who have none of these patterns."""
        plain = [not set(without) & set(plan.physiology.patterns) for plan in self.plans]
        return self.suv[np.array(plain), LABELS[tissue]]


@pytest.fixture(scope="module")
def population() -> Population:
    one = draw_patient(0, lesions=0)
    plans = []
    for seed in range(PATIENTS):
        # as draw_patient does, without disease, clinic and scan, which have no part in it
        person = draw_person(np.random.default_rng([seed, 1]))
        physiology = draw_physiology(np.random.default_rng([seed, 11]), person)
        plans.append(dataclasses.replace(one, seed=seed, person=person, physiology=physiology))
    return Population(tuple(plans), np.stack([draw_uptake(plan) for plan in plans]))


# mean and SD over patients, as published or assumed (see tissues.py); what is drawn apart is left out by its pattern
@pytest.mark.parametrize(
    ("tissue", "mean", "sd", "without"),
    [
        ("liver", 2.17, 0.44, ()),
        ("aorta", 1.55, 0.38, ()),
        ("cerebellum", 8.0, 2.2, ()),
        ("grey_matter", 9.0, 2.5, ()),
        ("tonsil_left", 3.45, 1.4, ("tonsils",)),
        ("lingual_tonsil", 3.08, 1.05, ()),
        ("soft_palate", 2.92, 0.86, ()),
        ("sublingual", 3.3, 1.5, ()),
        ("testis_right", 2.57, 0.56, ()),
        ("kidney_left", 3.0, 1.0, ()),
        ("spleen", 1.8, 0.35, ("marrow",)),
        ("vertebrae_L:marrow", 1.36, 0.36, ("marrow",)),
        ("muscle", 0.7, 0.15, ("all_muscle",)),
        ("lung_lower_lobe_left", 0.45, 0.15, ()),
        ("fat", 0.3, 0.1, ()),
        ("pancreas", 1.5, 0.3, ()),
        ("parotid_left", 1.8, 0.6, ()),
        ("oesophagus", 1.7, 0.4, ()),
    ],
)
def test_uptake_of_organs_over_patients(
    population: Population, tissue: str, mean: float, sd: float, without: tuple[Pattern, ...]
) -> None:
    values = population.of(tissue, without)
    # four standard errors, and 2 % for what the cut at 2.5 SD takes from the upper tail
    assert values.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(len(values)) + 0.02 * mean)
    # the cut takes some percent of the SD, its standard error is 2 to 3 % in these skewed distributions
    assert values.std() == pytest.approx(sd, rel=0.15)


def test_liver_stays_in_its_range(population: Population) -> None:
    assert population.of("liver").min() >= 1.2
    assert population.of("liver").max() <= 3.5


def test_marrow_of_the_whole_spine(population: Population) -> None:
    """1.3 +- 0.35 over the column; more in the lumbar than in the cervical spine of every single patient."""
    plain = ("marrow",)
    spine = [population.of(f"vertebrae_{region}:marrow", plain).mean() for region in "CTL"]
    assert spine[1] == pytest.approx(1.3, abs=0.05)
    assert spine == sorted(spine)
    assert population.of("femur_left:marrow", plain).mean() < 0.7 * spine[1]


def test_soft_organs_rise_together_and_the_brain_does_not(population: Population) -> None:
    names = ("liver", "aorta", "pancreas", "lung_lower_lobe_left", "cerebellum", "grey_matter")
    seen = np.corrcoef(np.log(population.suv[:, [LABELS[name] for name in names]]).T)
    # a standard error of about 0.02 on 0.6, and what the cut tails take from it
    assert seen[:4, :4][np.triu_indices(4, 1)] == pytest.approx(0.6, abs=0.09)
    assert np.abs(seen[:4, 4]).max() < 0.15
    assert seen[4, 5] > 0.75


def test_the_heavy_take_up_more(population: Population) -> None:
    common = [plan.physiology.common for plan in population.plans]
    bmi = [plan.person.bmi for plan in population.plans]
    assert np.corrcoef(common, bmi)[0, 1] == pytest.approx(0.5, abs=0.09)


def test_tissues_of_a_kind_differ_little(population: Population) -> None:
    left, right = population.of("kidney_left"), population.of("kidney_right")
    # a twentieth of the own variance, which is two fifths of the whole
    assert np.log(left / right).std() == pytest.approx(0.325 * np.sqrt(2 * 0.4 * 0.05), rel=0.1)


def test_myocardium_and_urine(population: Population) -> None:
    wall = population.of("myocardium_focus")
    assert (wall.min(), wall.max()) == (1.5, 12.0)
    # standard error of the median of a log-normal with log-SD 0.65: 0.07
    assert np.median(wall) == pytest.approx(3.0, abs=0.25)
    bladder = population.of("bladder")
    assert bladder.min() >= 3
    assert bladder.max() <= 60
    focal = [("heart_focal" in plan.physiology.patterns) for plan in population.plans]
    rest = population.of("myocardium")[focal]
    assert (rest < wall[focal]).all()


# probability of each pattern among all patients [A]; None where it depends on the person
@pytest.mark.parametrize(
    ("pattern", "rate"),
    [
        ("heart_ring", 0.44),
        ("heart_focal", 0.24),
        ("colon_segments", 0.25),
        ("bowel_diffuse", 0.10),
        ("jejunum", 0.08),
        ("gastritis", 0.05),
        ("oesophagitis", 0.04),
        ("marrow", 0.075),
        ("neck_muscle", 0.05),
        ("masseter", 0.03),
        ("back_muscle", 0.02),
        ("all_muscle", 0.03),
        ("thyroid", 0.04),
        ("tonsils", 0.08),
        ("larynx", 0.06),
        ("endometrium", 0.03),
        ("ovary", 0.015),
    ],
)
def test_rates_of_patterns(population: Population, pattern: Pattern, rate: float) -> None:
    seen = np.mean([pattern in plan.physiology.patterns for plan in population.plans])
    # four binomial standard errors
    assert seen == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / PATIENTS))
    assert seen > 0


def test_reactive_marrow_is_seen_in_5_to_10_percent_and_brings_the_spleen(population: Population) -> None:
    reactive = np.array(["marrow" in plan.physiology.patterns for plan in population.plans])
    assert 0.05 < reactive.mean() < 0.10
    marrow, spleen = (population.suv[:, LABELS[name]] for name in ("vertebrae_L:marrow", "spleen"))
    assert marrow[reactive].mean() > 2 * marrow[~reactive].mean()
    assert spleen[reactive].mean() > 1.3 * spleen[~reactive].mean()


def test_bowel_is_hot_where_its_pattern_says(population: Population) -> None:
    walls = [LABELS[tissue.name] for tissue in TISSUES if tissue.name.endswith("_wall") and tissue.kind == "colon"]
    for plan, suv in zip(population.plans, population.suv, strict=True):
        if "bowel_diffuse" in plan.physiology.patterns:
            assert (suv[walls] >= 2).all()
            assert (suv[walls] <= 12).all()
        elif "colon_segments" in plan.physiology.patterns:
            named = [pair for pair in plan.physiology.set_suv if LABELS[pair[0]] in walls]
            assert 1 <= len(named) <= 2
            assert all(2 <= value <= 12 for _, value in named)


@pytest.mark.parametrize("kind", KINDS)
def test_rates_of_confusers(population: Population, kind: ConfuserKind) -> None:
    seen = np.mean([any(c.kind == kind for c in plan.physiology.confusers) for plan in population.plans])
    rate = float(np.mean([chance_of(kind, plan.person) for plan in population.plans]))
    assert seen == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / PATIENTS))
    assert seen > 0


def test_brown_fat_is_of_the_young_and_thin() -> None:
    young, old = Person("F", 24, 1.68, 54.0), Person("M", 70, 1.75, 95.0)
    assert chance_of("brown_fat", young) > 0.3
    assert chance_of("brown_fat", old) < 0.02


def test_same_person_same_physiology() -> None:
    person = Person("F", 40, 1.68, 60.0)
    first, second = (draw_physiology(np.random.default_rng([5, 11]), person) for _ in range(2))
    assert first == second
    assert first != draw_physiology(np.random.default_rng([6, 11]), person)


def _one_of_each() -> tuple[Confuser, ...]:
    """All confusers of the first person who has any of a kind, for every kind."""
    person = Person("F", 24, 1.68, 54.0)
    found: dict[str, tuple[Confuser, ...]] = {}
    for seed in range(2000):
        for confuser in draw_confusers(np.random.default_rng(seed), person):
            if confuser.kind not in found:
                drawn = draw_confusers(np.random.default_rng(seed), person)
                found[confuser.kind] = tuple(c for c in drawn if c.kind == confuser.kind)
        if len(found) == len(KINDS):
            break
    return tuple(confuser for kind in KINDS for confuser in found[kind])


@pytest.fixture(scope="module")
def crowded() -> PatientPlan:
    """A plain patient with something of every kind, and a column of urine in a ureter."""
    plan = draw_patient(4, lesions=0)
    focus = UreterFocus(1, 60.0, 100.0, 30.0)
    physiology = dataclasses.replace(
        plan.physiology, patterns=(), set_suv=(), factors=(), ureters=(focus,), confusers=_one_of_each()
    )
    return dataclasses.replace(plan, physiology=physiology)


@pytest.fixture(scope="module")
def tissues(crowded: PatientPlan) -> npt.NDArray[np.uint8]:
    return paint_tissues(crowded, GRID)


@pytest.fixture(scope="module")
def uptake(crowded: PatientPlan, tissues: npt.NDArray[np.uint8]) -> Uptake:
    return physiological_uptake(tissues, draw_uptake(crowded), crowded, GRID)


def test_every_kind_of_confuser_is_painted_where_the_truth_says(
    crowded: PatientPlan, tissues: npt.NDArray[np.uint8], uptake: Uptake
) -> None:
    assert {truth.kind for truth in uptake.confusers} == set(KINDS)
    without = dataclasses.replace(crowded, physiology=dataclasses.replace(crowded.physiology, confusers=()))
    plain = physiological_uptake(tissues, draw_uptake(without), without, GRID)
    assert plain.confusers == ()
    changed = uptake.activity > plain.activity + 0.05
    assert not (uptake.activity < plain.activity).any()
    near = np.zeros(GRID.shape, dtype=bool)
    for truth in uptake.confusers:
        k, j, i = (round((truth.centre_mm[a] - GRID.first_mm[a]) / GRID.spacing_mm[a]) for a in (2, 1, 0))
        around = (slice(max(k - 4, 0), k + 5), slice(j - 5, j + 6), slice(i - 5, i + 6))
        # a spot of two voxels at the surface may stay below its full uptake
        assert uptake.activity[around].max() > 0.5 * truth.suv, truth
        near[max(k - 22, 0) : k + 23, max(j - 9, 0) : j + 10, max(i - 9, 0) : i + 10] = True
    assert not (changed & ~near).any()


def test_confusers_light_only_what_they_may(crowded: PatientPlan, tissues: npt.NDArray[np.uint8]) -> None:
    polyp = tuple(c for c in crowded.physiology.confusers if c.kind == "polyp")
    with_polyp, without = (
        dataclasses.replace(crowded, physiology=dataclasses.replace(crowded.physiology, confusers=some))
        for some in (polyp, ())
    )
    suv = draw_uptake(crowded)
    lit = (
        physiological_uptake(tissues, suv, with_polyp, GRID).activity
        > physiological_uptake(tissues, suv, without, GRID).activity
    )
    assert lit.any()
    assert set(np.unique(tissues[lit])) <= set(labels_of("colon"))


def test_urine_stands_in_a_stretch_of_the_ureter(
    crowded: PatientPlan, tissues: npt.NDArray[np.uint8], uptake: Uptake
) -> None:
    z = stretch_of(crowded, breath_mm=0.0).reference_z(GRID.axis_mm(2))
    ureter = tissues == LABELS["ureter_left"]
    inside = ureter & ((z >= 60) & (z <= 100))[:, None, None]
    # texture of 4 % around the planned 30
    assert uptake.activity[inside].mean() == pytest.approx(30.0, rel=0.06)
    assert uptake.activity[ureter & ~inside].max() < 3


def test_organs_are_a_little_uneven(tissues: npt.NDArray[np.uint8], uptake: Uptake) -> None:
    liver = uptake.activity[tissues == LABELS["liver"]]
    assert 0.01 < liver.std() / liver.mean() < 0.08
    bowel = uptake.activity[tissues == LABELS["ileum"]]
    assert 0.10 < bowel.std() / bowel.mean() < 0.6


def test_a_part_has_the_uptake_of_the_whole(
    crowded: PatientPlan, tissues: npt.NDArray[np.uint8], uptake: Uptake
) -> None:
    x, y, z = GRID.first_mm
    part = Grid((25, *GRID.shape[1:]), GRID.spacing_mm, (x, y, z + 50 * GRID.spacing_mm[2]))
    again = physiological_uptake(tissues[50:75], draw_uptake(crowded), crowded, part)
    # places are the same numbers but for rounding of the ninth digit
    np.testing.assert_allclose(again.activity, uptake.activity[50:75], rtol=1e-4, atol=1e-4)
    assert 0 < len(again.confusers) < len(uptake.confusers)


def test_confusers_are_no_lesions(crowded: PatientPlan) -> None:
    coarse = Protocol(pet_spacing_mm=(6, 6, 8), pet_matrix=88, ct_spacing_mm=(24, 24, 40), ct_matrix=22)
    patient = build_patient(crowded, coarse)
    assert len(patient.confusers) > len(KINDS) / 2
    assert not patient.lesion_map.array.any()
    assert patient.lesions == ()


def test_same_plan_same_bytes(crowded: PatientPlan, tissues: npt.NDArray[np.uint8], uptake: Uptake) -> None:
    again = physiological_uptake(tissues, draw_uptake(crowded), crowded, GRID)
    assert again.activity.tobytes() == uptake.activity.tobytes()
    assert again.confusers == uptake.confusers


# CT numbers of textbooks, HU
@pytest.mark.parametrize(
    ("organ", "lowest", "highest"),
    [
        ("liver", 45, 65),
        ("aorta", 30, 65),
        ("spleen", 40, 60),
        ("adrenal_gland_left", 20, 40),
        ("pancreas", 30, 50),
        ("muscle", 10, 60),
        ("lung_left", -870, -750),
        ("subcutaneous_fat", -115, -80),
        ("brain", 5, 45),
        ("urinary_bladder", 0, 15),
        ("vertebrae", 100, 1000),
        ("trachea", -1000, -950),
    ],
)
def test_ct_numbers(organ: str, lowest: float, highest: float) -> None:
    labels = labels_of(organ)
    assert labels
    assert all(lowest <= TISSUES[label].hu <= highest for label in labels)
