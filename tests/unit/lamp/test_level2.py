"""Level 2 on sampled patients with made-up features: truth first, the same drawings for all, nothing run twice."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from io import BytesIO
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.lamp.level2.__main__ import main
from lymphoma.lamp.level2.cells import Cell, CellResult, Runner, planned
from lymphoma.lamp.level2.patients import Level2, read_level2
from lymphoma.lamp.level2.result import Group, summarise
from lymphoma.prognosis.feature_folder import FeatureFolder
from lymphoma.prognosis.pooled import FEATURES, PooledFeatures
from lymphoma.simulation.feature_table import FeatureTable, stack_features
from lymphoma.simulation.pet_measures import pet_measures
from lymphoma.simulation.sampler import sample_patients
from lymphoma.survival.concordance import harrell
from scipy.stats import spearmanr

from tests.unit.lamp.cohorts import NETWORK, ORGANS, SOURCE, patient

pytestmark = pytest.mark.unit

TRAINING, TEST = range(5_100_000, 5_100_060), range(5_200_000, 5_200_030)
MIXING = np.random.default_rng(8).normal(size=(4, FEATURES))


def filled(folder: Path, seeds: range, way: str = SOURCE.way) -> Path:
    """A folder of sampled patients, whose lesions have features mixed from size, uptake, texture and height."""
    made = FeatureFolder.make(folder, replace(SOURCE, way=way))
    table = sample_patients(seeds).true
    for number, pet in enumerate(pet_measures(table)):
        one = table.patient(number)
        plain = np.stack(
            [np.log(one.lesions.volume_ml), np.log(one.lesions.suv_peak), one.lesions.suv_cv, one.lesions.height],
            axis=1,
        )
        base = patient(number + seeds[0])
        pooled = PooledFeatures(
            NETWORK, (plain @ MIXING).astype(np.float32), base.pooled.organs, base.pooled.present, ORGANS
        )
        truth = BytesIO()
        stack_features([one]).save(truth)
        made.add(replace(base, pooled=pooled, pet=pet, clinical=one.clinical, truth=truth.getvalue()))
    return folder


@cache
def level2() -> Level2:
    with TemporaryDirectory() as folder:
        return read_level2(filled(Path(folder) / "a", TRAINING), filled(Path(folder) / "b", TEST))


def runs(mode: str, arms: tuple[str, ...], draws: int, steps: int = 15) -> list[CellResult]:
    runner = Runner(level2(), steps=steps, folds=2)
    return [runner.run(Cell(mode, draw, arm)) for draw in range(draws) for arm in arms]


def test_truth_goes_with_its_patient_and_outcomes_are_drawn_anew() -> None:
    found = level2()
    volumes = [pet.tmtv_ml for pet in found.test.patients.pet]
    assert np.allclose(volumes, found.test_truth.tmtv_ml, rtol=1e-5)
    first, second = found.draw("burden", 0), found.draw("burden", 1)
    assert np.array_equal(first.test.months, found.draw("burden", 0).test.months)
    assert not np.array_equal(first.test.months, second.test.months)


def test_measures_are_those_of_the_definition() -> None:
    cells = runs("impi", ("log_tmtv",), 2)
    row = summarise(level2(), cells, resamples=50).rows[Group("impi")][0]
    eta = level2().eta("impi")[1]
    risk = np.array(cells[0].risk, dtype=float)
    pairs = [np.sign(risk[a] - risk[b]) == np.sign(eta[a] - eta[b]) for a, b in combinations(range(len(eta)), 2)]
    assert row.truth.value == pytest.approx(np.mean(pairs))
    assert row.spearman.value == pytest.approx(spearmanr(risk, eta).statistic)
    by_draw = [harrell(level2().draw("impi", number).test, risk) for number in (0, 1)]
    assert row.harrell.value == pytest.approx(np.mean(by_draw))
    assert row.truth.lower is not None
    assert row.truth.lower < row.truth.value


def test_the_true_risk_is_perfect_and_a_constant_is_chance() -> None:
    rows = {
        row.arm: row
        for row in summarise(level2(), runs("location", ("truth", "null"), 2), resamples=50).rows[Group("location")]
    }
    assert rows["truth"].truth.value == 1.0
    assert (rows["null"].truth.value, rows["null"].harrell.value, rows["null"].spearman.value) == (0.5, 0.5, 0.0)


def test_differences_are_paired() -> None:
    """A ranking against itself differs by nothing in every resample; against chance, by its own distance from it."""
    cells = [
        one if one.cell.arm != "paper" else replace(one, risk=cells_risk("log_tmtv"), trained=True)
        for one in runs("burden", ("log_tmtv", "paper", "impi"), 2, steps=1)
    ]
    found = {
        (one.first, one.second): one for one in summarise(level2(), cells, resamples=80).comparisons[Group("burden")]
    }
    same = found["paper", "log_tmtv"].difference
    assert (same.value, same.lower, same.upper) == (0.0, 0.0, 0.0)
    assert not found["paper", "log_tmtv"].shown


def cells_risk(arm: str) -> tuple[float | None, ...]:
    return Runner(level2()).run(Cell("burden", 0, arm)).risk


def test_without_a_mechanism_there_is_no_truth_to_find() -> None:
    results = summarise(level2(), runs("null", ("mean", "cox"), 1), resamples=20)
    for row in results.rows[Group("null")]:
        assert row.truth.value is None
        assert row.harrell.value is not None
    assert results.comparisons[Group("null")] == ()


def test_controls_deal_out_lesions_or_outcomes() -> None:
    """A head that starts at no hazards learns something of any outcomes."""
    runner = Runner(level2(), steps=25, folds=2)
    cells = [
        Cell("burden", 0, "abmla_from_zero"),
        Cell("burden", 0, "abmla_from_zero", "permuted"),
        Cell("burden", 0, "abmla_from_zero", "lesions_shuffled"),
    ]
    plain, permuted, shuffled = (runner.run(cell) for cell in cells)
    assert len({plain.risk, permuted.risk, shuffled.risk}) == 3
    assert plain.risk == runner.run(cells[0]).risk, "a cell has no state"


def test_what_is_planned_is_balanced() -> None:
    cells = list(planned(2, ("mixed", "worst_lesion"), ("full", "mean")))
    assert len({cell.name for cell in cells}) == len(cells)
    assert [cell.draw for cell in cells] == sorted(cell.draw for cell in cells)
    assert {cell.control for cell in cells} == {"", "permuted", "lesions_shuffled"}


def test_the_command_runs_writes_and_goes_on(tmp_path: Path) -> None:
    train, test = filled(tmp_path / "a", range(TRAINING[0], TRAINING[0] + 40)), filled(tmp_path / "b", TEST)
    asked = ["--train", str(train), "--test", str(test), "--out", str(tmp_path / "o"), "--steps", "2"]
    asked += ["--draws", "1", "--modes", "burden", "--arms", "mean", "abmla", "--resamples", "20", "--inner-folds", "2"]
    assert main(asked) == 0
    files = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "o" / "cells").iterdir()}
    assert len(files) == 7
    (tmp_path / "o" / "cells" / "burden-000-mean.json").unlink()
    assert main(asked) == 0
    again = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "o" / "cells").iterdir()}
    assert {name for name in files if files[name] != again[name]} == {"burden-000-mean.json"}
    found = json.loads((tmp_path / "o" / "results.json").read_text())
    assert (found["training"], found["tested"]) == (40, 30)
    page = (tmp_path / "o" / "level2.md").read_text()
    assert "| abmla - mean |" in page
    assert "IMPI as published" in page


def test_features_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    a, b = filled(tmp_path / "a", range(TEST[0], TEST[0] + 2)), filled(tmp_path / "b", TEST[3:5], "another way")
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        read_level2(a, b)
    with pytest.raises(NotComputable, match="both training and test"):
        read_level2(a, a)


def test_a_table_of_one_row_survives_the_folder() -> None:
    assert isinstance(level2().test_truth, FeatureTable)
    assert len(level2().test_truth) == len(level2().test)
