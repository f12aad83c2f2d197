"""What the cells say together: means over repetitions, intervals over patients and repetitions, and verdicts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lymphoma.evaluation.figures import verdict
from lymphoma.evaluation.result import Estimate
from lymphoma.lamp.arms import ARMS
from lymphoma.lamp.pilot.cells import BASELINES, CellResult, Control, read_cell
from lymphoma.survival.bootstrap import difference

__all__ = [
    "COMPARED",
    "LEAST_REPETITIONS",
    "Comparison",
    "Group",
    "PilotResults",
    "Row",
    "compare",
    "permutations",
    "read_results",
    "rows_of",
    "summarise",
    "write_results",
]

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
SEED = 23
TRUTH, HARRELL = 0, 1
LEAST_REPETITIONS = 3
"""Fewer tell nothing of how much the same arm differs from run to run."""

COMPARED = (
    ("abmla", "mean"),
    ("abmla", "max"),
    ("abmla", "abmla_from_zero"),
    ("abmla", "abmla_80_updates"),
    ("full", "paper"),
    ("full", "abmla"),
    ("full", "mean_lacf"),
    ("mean_lacf", "mean"),
    ("full", "organs_shuffled"),
    ("full", "organs_mean"),
    ("full", "mlp"),
    ("extension", "full"),
    ("extension", "paper"),
    ("extension", "extension_abmla"),
    ("extension_abmla", "extension_mean"),
    ("extension_abmla", "abmla"),
    ("extension_cox", "extension"),
    ("extension_burden", "extension"),
    ("full", "log_tmtv"),
    ("extension", "log_tmtv"),
    ("extension_burden", "log_tmtv"),
)
"""Pairs of arms whose difference is tested where both were run."""


@dataclass(frozen=True, order=True)
class Group:
    """Cells that are compared with each other."""

    encoding: str
    mode: str
    patients: int
    control: Control = ""


@dataclass(frozen=True)
class Row:
    """An arm in a group; means over repetitions.

    Attributes:
        truth: concordance with the true risk on the test patients, and harrell, each with a 95 % interval.
        gain: share of the truth's own gain over .5 in Harrell's C. trained: how many of the repetitions beat the null.
    """

    arm: str
    repetitions: int
    truth: Estimate
    harrell: Estimate
    truth_train: float | None
    harrell_train: float | None
    gain: float | None
    nll: float | None
    null_nll: float | None
    trained: int
    kept_step: float
    count_correlation: float | None


@dataclass(frozen=True)
class Comparison:
    """The difference of two arms in concordance with the true risk, on the repetitions that both have."""

    group: Group
    first: str
    second: str
    repetitions: int
    difference: Estimate
    shown: bool
    says: str


@dataclass(frozen=True)
class Permutations:
    """Harrell's C on true test outcomes after learning from permuted ones, over all permutations."""

    group: Group
    arm: str
    number: int
    mean: float
    standard_error: float
    least: float
    most: float


@dataclass(frozen=True)
class PilotResults:
    """All that is said of the pilot."""

    rows: Mapping[Group, tuple[Row, ...]]
    comparisons: tuple[Comparison, ...]
    permutations: tuple[Permutations, ...]
    cells: tuple[CellResult, ...]

    def __len__(self) -> int:
        return len(self.cells)


def read_results(folder: Path) -> PilotResults:
    """Reads all cells of a folder and sums them up."""
    return summarise([read_cell(file) for file in sorted(folder.glob("*.json"))])


def summarise(cells: Sequence[CellResult]) -> PilotResults:
    """Rows, comparisons and permutations of cells in any order."""
    grouped: dict[Group, dict[str, dict[int, CellResult]]] = {}
    baselines: dict[str, dict[str, dict[int, CellResult]]] = {}
    for result in cells:
        cell = result.cell
        if cell.arm in BASELINES:
            baselines.setdefault(cell.mode, {}).setdefault(cell.arm, {})[cell.repetition] = result
        elif cell.control != "permuted":
            group = Group(cell.encoding, cell.mode, cell.patients, cell.control)
            grouped.setdefault(group, {}).setdefault(cell.arm, {})[cell.repetition] = result
    whole = {group: {**baselines.get(group.mode, {}), **arms} for group, arms in grouped.items()}
    return PilotResults(
        {group: rows_of(arms) for group, arms in sorted(whole.items())},
        tuple(found for group, arms in sorted(whole.items()) for found in compare(group, arms)),
        permutations(cells),
        tuple(cells),
    )


def rows_of(arms: Mapping[str, Mapping[int, CellResult]]) -> tuple[Row, ...]:
    """One row an arm; a baseline is shown on the repetitions that some arm has."""
    shown = {number for arm, found in arms.items() if arm not in BASELINES for number in found}
    oracle = arms.get("truth", {})
    ordered = [name for name in (*BASELINES, *ARMS) if name in arms]
    return tuple(_row(name, [arms[name][n] for n in sorted(arms[name]) if n in shown], oracle) for name in ordered)


def compare(group: Group, arms: Mapping[str, Mapping[int, CellResult]]) -> list[Comparison]:
    """The pairs of :data:`COMPARED` that a group has, on repetitions of both."""
    found = []
    for first, second in COMPARED:
        common = sorted(set(arms.get(first, {})) & set(arms.get(second, {})))
        one, other = ([arms[name][n] for n in common] for name in (first, second)) if common else ([], [])
        if not common or any(result.truth_test is None for result in (*one, *other)):
            continue
        draws = np.column_stack([_draws(cells, TRUTH) for cells in (one, other)])
        gap = difference(_mean(c.truth_test for c in one) or 0.0, _mean(c.truth_test for c in other) or 0.0, draws)
        estimate = Estimate(gap.estimate, gap.lower, gap.upper, gap.p, gap.level)
        tested = sum(result.tested for result in one)
        said = verdict(first, second, estimate, tested, measure="concordance with the true risk")
        sentence, shown = said.sentence, said.shown
        if len(common) < LEAST_REPETITIONS:
            shown, sentence = False, f"{first} against {second}: not shown, {len(common)} repetitions are too few."
        found.append(Comparison(group, first, second, len(common), estimate, shown, sentence))
    return found


def permutations(cells: Iterable[CellResult]) -> tuple[Permutations, ...]:
    """Means over the permutations of each group and arm."""
    values: dict[tuple[Group, str], list[float]] = {}
    for result in cells:
        cell = result.cell
        if cell.control == "permuted":
            group = Group(cell.encoding, cell.mode, cell.patients, cell.control)
            values.setdefault((group, cell.arm), []).append(result.harrell_test)
    found = []
    for (group, arm), c in sorted(values.items()):
        error = float(np.std(c, ddof=1) / np.sqrt(len(c))) if len(c) > 1 else float("nan")
        found.append(Permutations(group, arm, len(c), float(np.mean(c)), error, min(c), max(c)))
    return tuple(found)


def write_results(file: Path, results: PilotResults) -> None:
    """Writes ``results.json``, without the draws and histories that the cells keep."""
    content = {
        "groups": [{**asdict(group), "rows": [asdict(row) for row in rows]} for group, rows in results.rows.items()],
        "comparisons": [asdict(one) for one in results.comparisons],
        "permutations": [asdict(one) for one in results.permutations],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _row(arm: str, cells: Sequence[CellResult], oracle: Mapping[int, CellResult]) -> Row:
    gains = [
        (cell.harrell_test - 0.5) / (oracle[cell.cell.repetition].harrell_test - 0.5)
        for cell in cells
        if cell.cell.repetition in oracle and oracle[cell.cell.repetition].truth_test is not None
    ]
    return Row(
        arm,
        len(cells),
        _estimate(cells, TRUTH),
        _estimate(cells, HARRELL),
        _mean(cell.truth_train for cell in cells),
        _mean(cell.harrell_train for cell in cells),
        _mean(gains),
        _mean(cell.nll for cell in cells),
        _mean(cell.null_nll for cell in cells),
        sum(cell.trained for cell in cells),
        _mean(cell.kept_step for cell in cells) or 0.0,
        _mean(cell.count_correlation for cell in cells),
    )


def _estimate(cells: Sequence[CellResult], which: int) -> Estimate:
    value = _mean((cell.truth_test if which == TRUTH else cell.harrell_test) for cell in cells)
    if value is None:
        return Estimate(None, problem="all patients have the same true risk")
    lower, upper = np.nanquantile(_draws(cells, which), [0.025, 0.975])
    return Estimate(value, float(lower), float(upper), level=0.95)


def _draws(cells: Sequence[CellResult], which: int) -> Floats:
    """Draws of the mean over repetitions: repetitions drawn with replacement, and patients within each.

    The same numbers are drawn whatever the arm, so that draws of two arms are paired.
    """
    table = np.array([[row[which] for row in cell.draws] for cell in cells], dtype=np.float64)
    rng = np.random.default_rng(SEED)
    repetition = rng.integers(len(cells), size=(RESAMPLES, len(cells)))
    resample = rng.integers(table.shape[1], size=repetition.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN where nobody's true risk differs
        means = np.asarray(np.nanmean(table[repetition, resample], axis=1))
        centre = np.nanmean(table)
    # Drawn from k repetitions, a mean varies by (k - 1) / k of what it should.
    return np.asarray(centre + (means - centre) * np.sqrt(len(cells) / max(len(cells) - 1, 1)))


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
