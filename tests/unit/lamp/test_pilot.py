"""The L1 pilot: what goes in, that a run is judged rightly and goes on after a stop, and what is said of many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.lamp.arms import ARMS
from lymphoma.lamp.pilot.__main__ import main
from lymphoma.lamp.pilot.cells import Cell, CellResult, Runner, read_cell, save_cell
from lymphoma.lamp.pilot.features import CENTRE, MOST_LESIONS, SCALE, bags_of
from lymphoma.lamp.pilot.page import markdown
from lymphoma.lamp.pilot.patients import PLAIN_WORST, Repetition, read_repetition
from lymphoma.lamp.pilot.plan import planned
from lymphoma.lamp.pilot.result import Group, summarise
from lymphoma.simulation.risk import MECHANISMS, UPTAKE_SD
from lymphoma.survival.concordance import harrell
from scipy.stats import kendalltau

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def repetition(tmp_path_factory: pytest.TempPathFactory) -> Repetition:
    return read_repetition(1, tmp_path_factory.mktemp("patients"), patients=100)


def result(arm: str, number: int, value: float, size: int = 160, **fields: object) -> CellResult:
    """A run whose every resample is off its value by a noise that all arms share."""
    noise = np.random.default_rng(number).normal(0, 0.02, 50)
    draws = tuple((value + one, value + one) for one in noise.tolist())
    encoding = "" if arm in ("truth", "log_tmtv") else "linear"
    cell = Cell(encoding, "burden", size if encoding else 0, arm, number)
    found = CellResult(cell, value, value, value, value, 0.1, 100, nll=1.0, null_nll=1.2, draws=draws)
    return replace(found, **fields)  # type: ignore[arg-type]


def test_clean_features_hold_the_terms_of_the_worst_lesion(repetition: Repetition) -> None:
    bags = bags_of(repetition.training, "clean")
    x = bags.lesions.numpy().astype(np.float64)
    score = x[..., 0] * SCALE[0] + CENTRE[0] + (x[..., 1] * SCALE[1] + CENTRE[1]) / UPTAKE_SD + x[..., 6]
    worst = np.where(bags.is_lesion.numpy(), score, -np.inf).max(axis=1)
    few = repetition.training.counts <= MOST_LESIONS
    # single precision of the features
    assert worst[few] == pytest.approx(MECHANISMS["worst_lesion"].score(repetition.training)[few], abs=1e-4)


def test_the_largest_lesions_are_kept(repetition: Repetition) -> None:
    table = repetition.training
    bags = bags_of(table, "clean")
    patient = int(np.argmax(table.counts))
    assert table.counts[patient] > MOST_LESIONS
    volumes = np.sort(table.lesions.volume_ml[table.owner == patient])[::-1][:MOST_LESIONS]
    shown = np.exp(bags.lesions[patient, :, 0].numpy() * SCALE[0] + CENTRE[0])
    assert shown == pytest.approx(volumes, rel=1e-4)
    assert bags.is_lesion.sum(dim=1).numpy().tolist() == np.minimum(table.counts, MOST_LESIONS).tolist()


@pytest.mark.parametrize("encoding", ["linear", "nonlinear"])
def test_a_lesion_resembles_the_organ_it_lies_in(repetition: Repetition, encoding: str) -> None:
    """Place is told by resemblance alone, so that the context must find it."""
    bags = bags_of(repetition.training, encoding)  # type: ignore[arg-type]
    assert bags.lesions.shape[2] == bags.organs.shape[2] == 128
    table = repetition.training
    order = np.lexsort((-table.lesions.volume_ml, table.owner))
    group = table.lesions.group[order][table.starts[:-1]]
    in_bone = np.flatnonzero(group == 5)
    first = bags.lesions[in_bone, 0].numpy()
    near = [float(np.mean(np.linalg.norm(first - bags.organs[in_bone, organ].numpy(), axis=1))) for organ in (17, 0)]
    assert near[0] < near[1], "a lesion of the bone is nearer to the vertebrae than to the brain"


def test_a_repetition_is_read_again_as_it_was_drawn(tmp_path: Path) -> None:
    first = read_repetition(2, tmp_path, patients=30)
    told: list[str] = []
    again = read_repetition(2, tmp_path, patients=30, progress=lambda name, _: told.append(name))
    assert not told
    assert np.array_equal(first.test.lesions.volume_ml, again.test.lesions.volume_ml)
    for mode in ("worst_lesion", PLAIN_WORST, "null"):
        assert np.array_equal(first.eta(mode)[1], again.eta(mode)[1])
    assert set(first.training_seeds).isdisjoint(first.test_seeds)


def test_a_run_is_judged_by_the_truth_and_by_harrell(repetition: Repetition) -> None:
    runner = Runner(repetition, steps=30)
    truth = runner.run(Cell("", "burden", 0, "truth", 1))
    assert truth.truth_test == 1
    tmtv = runner.run(Cell("", "burden", 0, "log_tmtv", 1))
    eta, follow_up = repetition.eta("burden")[1], repetition.outcomes("burden")[1]
    risk = np.log(repetition.test.tmtv_ml)
    assert tmtv.truth_test == pytest.approx((kendalltau(risk, eta).statistic + 1) / 2, abs=1e-3)
    assert tmtv.harrell_test == pytest.approx(harrell(follow_up, risk))
    cell = Cell("linear", "burden", 100, "extension_burden", 1)
    learnt = runner.run(cell)
    assert learnt.truth_test is not None
    assert learnt.truth_test > 0.65, "the burden is handed to this arm as it is"
    assert (learnt.steps, len(learnt.history)) == (30, 3), "judged at 0, 25 and 30 updates"
    assert np.mean([row[1] for row in learnt.draws]) == pytest.approx(learnt.harrell_test, abs=0.03)
    assert replace(runner.run(cell), seconds=0.0) == replace(learnt, seconds=0.0)


def test_controls_alter_what_is_learnt(repetition: Repetition) -> None:
    runner = Runner(repetition, steps=30)
    plain, permuted, other, shuffled = (
        runner.run(Cell("clean", "burden", 100, "extension", 1, control, draw))  # type: ignore[arg-type]
        for control, draw in (("", 0), ("permuted", 0), ("permuted", 1), ("lesions_shuffled", 0))
    )
    # The loss too: a run that learns nothing keeps its first weights, and two such rank alike.
    assert len({(one.nll, one.harrell_test) for one in (plain, permuted, other, shuffled)}) == 4
    assert not permuted.draws


def test_nobody_differs_under_the_null(repetition: Repetition) -> None:
    found = Runner(repetition, steps=10).run(Cell("clean", "null", 100, "extension_mean", 1))
    assert found.truth_test is None
    assert found.truth_train is None
    assert 0.2 < found.harrell_test < 0.8


def test_a_cell_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = result("paper", 3, 0.61, history=((0, 1.2, 0.5), (10, 1.1, 0.6)))
    save_cell(tmp_path, one)
    assert read_cell(tmp_path / f"{one.cell.name}.json") == one


def test_a_difference_is_shown_only_where_its_paired_interval_leaves_out_zero() -> None:
    """All resamples of the two move together, so that a difference far below their spread is still seen."""
    cells = [
        result(arm, n, value) for n in (1, 2, 3) for arm, value in (("full", 0.62), ("log_tmtv", 0.63), ("abmla", 0.62))
    ]
    found = {(one.first, one.second): one for one in summarise(cells).comparisons}
    beaten = found["full", "log_tmtv"]
    assert beaten.shown
    assert "log_tmtv beats full" in beaten.says
    assert beaten.difference.value == pytest.approx(-0.01)
    once = {(one.first, one.second): one for one in summarise(cells[:3]).comparisons}["full", "log_tmtv"]
    assert not once.shown
    assert "repetitions are too few" in once.says
    even = found["full", "abmla"]
    assert not even.shown
    assert "not shown, n = 300" in even.says


def test_repetitions_widen_the_interval() -> None:
    near = summarise([result("paper", n, 0.6) for n in (1, 2, 3)])
    apart = summarise([result("paper", n, v) for n, v in ((1, 0.5), (2, 0.6), (3, 0.7))])
    group = Group("linear", "burden", 160)
    width = [s.rows[group][0].truth.upper - s.rows[group][0].truth.lower for s in (near, apart)]
    assert width[1] > 2 * width[0]


def test_gain_is_the_share_of_what_the_truth_gains() -> None:
    rows = summarise([result("paper", 1, 0.6), result("truth", 1, 0.75)]).rows[Group("linear", "burden", 160)]
    assert {row.arm: row.gain for row in rows}["paper"] == pytest.approx(0.4)


def test_permutations_are_averaged_and_stand_apart() -> None:
    cells = []
    for draw, value in enumerate((0.4, 0.5, 0.6)):
        one = result("paper", 1, value)
        cells.append(replace(one, cell=replace(one.cell, control="permuted", draw=draw), draws=()))
    found = summarise(cells)
    assert not found.rows
    (only,) = found.permutations
    assert (only.number, only.mean, only.least, only.most) == (3, pytest.approx(0.5), 0.4, 0.6)


def test_the_page_says_what_was_found() -> None:
    cells = [result(arm, 1, value) for arm, value in (("full", 0.62), ("log_tmtv", 0.7), ("truth", 0.75))]
    cells.append(result("extension", 1, 0.5, nll=1.3, trained=False))
    page = markdown(summarise(cells))
    assert "### burden, linear features, 160 patients" in page
    line = next(line for line in page.splitlines() if line.startswith("| `extension` |") and "0/1" in line)
    assert "0.100" in line, "a loss above the null is shown as it is"
    assert "| `full` | `log_tmtv` | -0.080 (-0.080 to -0.080) | not shown, 1 of 3 repetitions |" in page


def test_every_planned_cell_is_known_and_is_run_once() -> None:
    cells = list(planned())
    assert len({cell.name for cell in cells}) == len(cells)
    assert {cell.arm for cell in cells if cell.encoding} == set(ARMS)
    assert {cell.repetition for cell in cells} == {1, 2, 3, 4, 5}


def test_the_command_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "docs" / "page.md"
    assert main(["--out", str(out), "--quick", "--page", str(page)]) == 0
    cells = sorted((out / "cells").glob("*.json"))
    assert (out / "results.json").exists()
    assert (page.parent / "images" / "lamp-pilot.png").stat().st_size > 10_000
    gone, kept = cells[0], cells[1:]
    before, content = [file.stat().st_mtime_ns for file in kept], read_cell(gone)
    gone.unlink()
    assert main(["--out", str(out), "--quick"]) == 0
    assert [file.stat().st_mtime_ns for file in kept] == before
    assert replace(read_cell(gone), seconds=0.0) == replace(content, seconds=0.0)
