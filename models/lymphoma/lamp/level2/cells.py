"""One run of level 2: a mechanism, a drawing of the outcomes, and an arm or a baseline."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import TypeAdapter

from lymphoma.errors import CannotDo
from lymphoma.lamp.arms import ARMS, Arm
from lymphoma.lamp.bags import LesionBags
from lymphoma.lamp.heads import bags_of
from lymphoma.lamp.level2.patients import COX, Level2
from lymphoma.lamp.organs import rows_for
from lymphoma.lamp.task import LearningSet, risk_of, train_on_all
from lymphoma.survival.cox import fit_cox
from lymphoma.training.files import write_whole

__all__ = ["BASELINES", "CORE_ARMS", "Cell", "CellResult", "Runner", "planned", "read_cells", "save_cell"]

Floats = npt.NDArray[np.float64]
Control = Literal["", "permuted", "lesions_shuffled"]

BASELINES = ("truth", "null", "log_tmtv", "impi", "cox")
"""Rankings beside the arms: the true risk, a constant, one measure, the published index, the refitted clinical one."""
CORE_ARMS = (
    "mean",
    "max",
    "abmla",
    "mean_lacf",
    "full",
    "paper",
    "organs_shuffled",
    "organs_mean",
    "mlp",
    "extension",
    "extension_abmla",
    "extension_mean",
    "extension_cox",
    "extension_burden",
)
MODES = (
    "worst_lesion",
    "location",
    "non_lesion",
    "burden",
    "null",
    "mixed",
    "texture",
    "impi",
    "site",
    "dissemination",
)
CONTROL_ARMS = ("full", "extension")
PERMUTED_MODE, SHUFFLED_MODE = "mixed", "worst_lesion"
SHUFFLE_SEED = 41


@dataclass(frozen=True)
class Cell:
    """What is run.

    Attributes:
        arm: one of :data:`lymphoma.lamp.arms.ARMS` or of :data:`BASELINES`. draw: number of the drawing of outcomes.
        control: "permuted" deals the training outcomes out anew, "lesions_shuffled" gives everybody, training and test
            patients alike, the lesions of another one.
    """

    mode: str
    draw: int
    arm: str
    control: Control = ""

    @property
    def name(self) -> str:
        """Name of its file."""
        return "-".join((self.mode, f"{self.draw:03d}", self.arm, *([self.control] if self.control else [])))


@dataclass(frozen=True)
class CellResult:
    """What a run came to.

    Attributes:
        risk: of each test patient; None where a baseline does not know it.
        nll, null_nll: in mean over the inner folds; None for a baseline. trained: the first lies below the second.
        problem: code, where nothing could be fitted.
    """

    cell: Cell
    risk: tuple[float | None, ...] = ()
    nll: float | None = None
    null_nll: float | None = None
    trained: bool = True
    kept_step: int = 0
    problem: str | None = None


_READER = TypeAdapter(CellResult)


def save_cell(folder: Path, result: CellResult) -> None:
    """Writes one file, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{result.cell.name}.json", (json.dumps(asdict(result)) + "\n").encode())


def read_cells(folder: Path) -> list[CellResult]:
    """All results of a folder."""
    return [_READER.validate_json(file.read_bytes()) for file in sorted(folder.glob("*.json"))]


def planned(draws: int, modes: Sequence[str] = MODES, arms: Sequence[str] = CORE_ARMS) -> Iterator[Cell]:
    """All cells, drawing by drawing, so that whatever is done is done alike in every mode and arm."""
    for draw in range(draws):
        for mode in modes:
            for name in (*BASELINES, *arms):
                yield Cell(mode, draw, name)
        for arm in (one for one in CONTROL_ARMS if one in arms):
            if PERMUTED_MODE in modes:
                yield Cell(PERMUTED_MODE, draw, arm, "permuted")
            if SHUFFLED_MODE in modes:
                yield Cell(SHUFFLED_MODE, draw, arm, "lesions_shuffled")


class Runner:
    """Runs cells on the same patients.

    Args:
        steps: fewer updates than the arms have, for a quick look. folds: inner ones, that tell how long to train.
    """

    def __init__(self, patients: Level2, *, steps: int | None = None, folds: int = 5) -> None:
        self._patients = patients
        self._steps = steps
        self._folds = folds
        self._bags: dict[bool, tuple[LesionBags, LesionBags]] = {}

    def run(self, cell: Cell) -> CellResult:
        """Trains and judges; where nothing can be fitted, the result says why."""
        try:
            return self._baseline(cell) if cell.arm in BASELINES else self._arm(cell)
        except CannotDo as fault:
            return CellResult(cell, trained=False, problem=fault.code)

    def _arm(self, cell: Cell) -> CellResult:
        arm = ARMS[cell.arm]
        training, test = self._bags_for(arm)
        if cell.control == "lesions_shuffled":
            training, test = _lesions_of_others(training, 1), _lesions_of_others(test, 2)
        follow_up = self._patients.draw(cell.mode, cell.draw).training
        if cell.control == "permuted":
            follow_up = follow_up.take(np.random.default_rng([SHUFFLE_SEED, cell.draw]).permutation(follow_up.n))
        # an arm may ask for the organs of others: those of training patients come from training patients
        learning = LearningSet(rows_for(training, arm.organs, training, SHUFFLE_SEED), follow_up)
        done = train_on_all(arm, learning, cell.draw, folds=self._folds, steps=self._steps)
        risk = risk_of(done.network, rows_for(test, arm.organs, training, SHUFFLE_SEED))
        return CellResult(cell, _rounded(risk), done.nll, done.null_nll, done.trained, done.kept_step)

    def _bags_for(self, arm: Arm) -> tuple[LesionBags, LesionBags]:
        with_burden = arm.shape.burden
        if with_burden not in self._bags:
            both = (self._patients.training, self._patients.test)
            self._bags[with_burden] = (bags_of(both[0], arm.shape), bags_of(both[1], arm.shape))
        return self._bags[with_burden]

    def _baseline(self, cell: Cell) -> CellResult:
        patients = self._patients
        match cell.arm:
            case "truth":
                return CellResult(cell, _rounded(patients.eta(cell.mode)[1]))
            case "null":
                return CellResult(cell, _rounded(np.zeros(len(patients.test))))
            case "log_tmtv":
                return CellResult(cell, _rounded(patients.cox_values[1][:, COX.index("tmtv_ml")]))
            case "impi":
                return CellResult(cell, _rounded(patients.impi))
            case _:
                training, test = patients.cox_values
                cox = fit_cox(list(COX), training, patients.draw(cell.mode, cell.draw).training, endpoint="pfs")
                return CellResult(cell, _rounded(cox.linear_predictor(test)))


def _rounded(risk: Floats) -> tuple[float | None, ...]:
    """Eight figures; far finer than any two patients differ."""
    return tuple(float(f"{value:.8g}") if math.isfinite(value) else None for value in risk)


def _lesions_of_others(bags: LesionBags, seed: int) -> LesionBags:
    """Each patient with the lesions of the next one of a random cycle; the organs stay."""
    order = torch.as_tensor(np.random.default_rng([SHUFFLE_SEED, seed]).permutation(len(bags)))
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    return LesionBags(bags.lesions[others], bags.is_lesion[others], bags.organs, bags.present, bags.burden[others])
