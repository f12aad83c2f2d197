"""One run of the pilot: an arm, a mechanism, an encoding, a number of patients, a repetition."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import TypeAdapter

from lymphoma.evaluation.ranking import ComparablePairs
from lymphoma.lamp.arms import ARMS
from lymphoma.lamp.bags import LesionBags
from lymphoma.lamp.organs import rows_for
from lymphoma.lamp.pilot.features import Encoding, bags_of, width_of
from lymphoma.lamp.pilot.patients import Repetition
from lymphoma.lamp.task import HeadTask, LearningSet, Trained, risk_of, train_in_memory, train_on_all
from lymphoma.survival.bootstrap import BLOCK, bootstrap
from lymphoma.survival.follow_up import FollowUp
from lymphoma.training.files import write_whole

__all__ = ["BASELINES", "Cell", "CellResult", "Runner", "read_cell", "save_cell"]

Floats = npt.NDArray[np.float64]

BASELINES = ("truth", "log_tmtv", "log_count")
"""Rankings without any training, beside the arms."""
VALIDATION_SHARE = 0.2
"""Of the training patients, for early stopping."""
FOLDED_UP_TO = 1000
"""Patients up to which the number of updates comes from five inner folds instead."""
RESAMPLE_SEED = 11

Control = Literal["", "lesions_shuffled", "permuted"]


@dataclass(frozen=True)
class Cell:
    """What is run.

    Attributes:
        encoding: "" for a baseline. patients: of the training set. arm: one of :data:`lymphoma.lamp.arms.ARMS` or of
            :data:`BASELINES`. control: "permuted" deals the training outcomes out anew (``draw`` tells which way),
            "lesions_shuffled" gives everybody the lesions of another patient.
    """

    encoding: Encoding | Literal[""]
    mode: str
    patients: int
    arm: str
    repetition: int
    control: Control = ""
    draw: int = 0

    @property
    def name(self) -> str:
        """Name of its files."""
        control = f"-{self.control}-{self.draw}" if self.control else ""
        return f"{self.encoding or 'none'}-{self.mode}-{self.patients}-{self.arm}-{self.repetition}{control}"


@dataclass(frozen=True)
class CellResult:
    """What a run came to.

    Attributes:
        truth_test, truth_train: concordance with the true risk over all pairs; None where nobody differs.
        harrell_test, harrell_train: with the censored outcomes. nll, null_nll: of the validation patients; None for a
            baseline. trained: nll below null_nll. kept_step, steps: updates. count_correlation: of risk and log count
            on the test patients, None for a constant. tested: test patients. seconds: of training.
        history: every validation.
        draws: paired bootstrap of (truth_test, harrell_test), the same resamples for all cells of a repetition.
    """

    cell: Cell
    truth_test: float | None
    truth_train: float | None
    harrell_test: float
    harrell_train: float | None
    count_correlation: float | None
    tested: int
    nll: float | None = None
    null_nll: float | None = None
    trained: bool = True
    kept_step: int = 0
    steps: int = 0
    seconds: float = 0.0
    history: tuple[tuple[int, float, float], ...] = ()
    draws: tuple[tuple[float | None, float], ...] = ()


_READER = TypeAdapter(CellResult)


def save_cell(folder: Path, result: CellResult) -> None:
    """Writes one file, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(result), separators=(",", ":"))
    write_whole(folder / f"{result.cell.name}.json", (text + "\n").encode())


def read_cell(file: Path) -> CellResult:
    """Reads what :func:`save_cell` wrote."""
    return _READER.validate_json(file.read_bytes())


class Runner:
    """Runs the cells of one repetition; the features of the last encoding stay in memory.

    Args:
        steps: fewer updates than the arms have, for a quick look.
    """

    def __init__(self, repetition: Repetition, *, steps: int | None = None) -> None:
        self._repetition = repetition
        self._steps = steps
        self._encoding: Encoding | None = None
        self._bags: tuple[LesionBags, LesionBags] | None = None
        self._modes: dict[str, _Mode] = {}

    def run(self, cell: Cell) -> CellResult:
        """Trains and judges."""
        mode = self._modes.setdefault(cell.mode, _Mode(self._repetition, cell.mode))
        if cell.arm in BASELINES:
            return self._baseline(cell, mode)
        assert cell.encoding
        training, test = self._encoded(cell.encoding)
        training = training.take(torch.arange(cell.patients))
        if cell.control == "lesions_shuffled":
            training, test = _with_lesions_of_others(training, 1), _with_lesions_of_others(test, 2)
        started_s = time.monotonic()
        how = ARMS[cell.arm].organs
        given = rows_for(training, how, training, RESAMPLE_SEED)
        trained = self._train(cell, mode, given)
        seconds = time.monotonic() - started_s
        on_test = risk_of(trained.network, rows_for(test, how, training, RESAMPLE_SEED))
        on_train = risk_of(trained.network, given)
        truth_test, harrell_test, draws = mode.judge(on_test, with_draws=cell.control != "permuted")
        truth_train, harrell_train = mode.judge_training(on_train)
        return CellResult(
            cell,
            truth_test,
            truth_train,
            harrell_test,
            harrell_train,
            _correlation(on_test, mode.log_count),
            len(on_test),
            trained.nll,
            trained.null_nll,
            trained.trained,
            trained.kept_step,
            trained.steps,
            round(seconds, 1),
            trained.history,
            draws,
        )

    def _train(self, cell: Cell, mode: _Mode, training: LesionBags) -> Trained:
        arm = ARMS[cell.arm]
        arm = replace(arm, shape=replace(arm.shape, features=training.lesions.shape[-1]))
        follow_up = mode.outcomes[0].take(np.arange(cell.patients))
        if cell.control == "permuted":
            order = np.random.default_rng([cell.repetition, cell.draw]).permutation(cell.patients)
            follow_up = follow_up.take(order)
        patients = LearningSet(training, follow_up)
        seed = 1000 * cell.repetition + cell.draw
        if cell.patients <= FOLDED_UP_TO:
            return train_on_all(arm, patients, seed, steps=self._steps)
        learns = cell.patients - round(VALIDATION_SHARE * cell.patients)
        learning, validation = patients.take(np.arange(learns)), patients.take(np.arange(learns, cell.patients))
        return train_in_memory(HeadTask(arm, learning, validation), seed, steps=self._steps)

    def _baseline(self, cell: Cell, mode: _Mode) -> CellResult:
        test = self._repetition.test
        risks = {"truth": mode.eta[1], "log_tmtv": np.log(test.tmtv_ml), "log_count": mode.log_count}
        truth, harrell, draws = mode.judge(risks[cell.arm], with_draws=True)
        return CellResult(
            cell, truth, None, harrell, None, _correlation(risks[cell.arm], mode.log_count), len(test), draws=draws
        )

    def _encoded(self, encoding: Encoding) -> tuple[LesionBags, LesionBags]:
        if self._bags is None or self._encoding != encoding:
            self._bags = None  # the old ones go before the new ones come: both take 200 MB
            self._bags = (bags_of(self._repetition.training, encoding), bags_of(self._repetition.test, encoding))
            self._encoding = encoding
            assert self._bags[0].lesions.shape[-1] == width_of(encoding)
        return self._bags


class _Mode:
    """Truth and outcomes of a repetition under one mechanism, and how a risk is judged by them."""

    def __init__(self, repetition: Repetition, mode: str) -> None:
        self.eta = repetition.eta(mode)
        self.outcomes = repetition.outcomes(mode)
        self.log_count = np.log(repetition.test.counts)

    def judge(
        self, risk: Floats, *, with_draws: bool
    ) -> tuple[float | None, float, tuple[tuple[float | None, float], ...]]:
        """(concordance with the true risk, Harrell's C, paired draws of both) on the test patients."""
        once = np.ones((len(risk), 1))
        truth, harrell = self._both(risk, once)[0]
        draws: Floats = np.zeros((0, 2))
        if with_draws:
            draws = bootstrap(len(risk), lambda counts: self._both(risk, counts), resamples=BLOCK, seed=RESAMPLE_SEED)
        rows = tuple((_known(one), round(float(other), 5)) for one, other in draws)
        return _known(truth), float(harrell), rows

    def judge_training(self, risk: Floats) -> tuple[float | None, float]:
        """Both on the training patients of a cell, who come first."""
        once, index = np.ones((len(risk), 1)), np.arange(len(risk))
        truth = _truth(self.eta[0][: len(risk)])
        harrell = ComparablePairs(self.outcomes[0].take(index), np.zeros(len(risk)))
        concordance = None if truth is None else _known(truth.concordance(risk[None], once)[0][0, 0])
        return concordance, float(harrell.concordance(risk[None], once)[0][0, 0])

    def _both(self, risk: Floats, counts: Floats) -> Floats:
        harrell = self._pairs.concordance(risk[None], counts)[0][:, 0]
        truth = self._truth.concordance(risk[None], counts)[0][:, 0] if self._truth else np.full(len(harrell), np.nan)
        return np.column_stack((truth, harrell))

    @cached_property
    def _pairs(self) -> ComparablePairs:
        return ComparablePairs(self.outcomes[1], np.zeros(self.outcomes[1].n))

    @cached_property
    def _truth(self) -> ComparablePairs | None:
        return _truth(self.eta[1])


def _truth(eta: Floats) -> ComparablePairs | None:
    """All pairs ordered by their true risk: as if each patient failed at exp(-eta). None where all are the same."""
    if not np.ptp(eta):
        return None
    return ComparablePairs(FollowUp(np.exp(-eta), np.ones(len(eta), dtype=np.bool_)), np.zeros(len(eta)))


def _with_lesions_of_others(bags: LesionBags, seed: int) -> LesionBags:
    order = torch.randperm(len(bags), generator=torch.Generator().manual_seed(seed))
    return replace(bags, lesions=bags.lesions[order], is_lesion=bags.is_lesion[order], burden=bags.burden[order])


def _correlation(risk: Floats, log_count: Floats) -> float | None:
    return float(np.corrcoef(risk, log_count)[0, 1]) if np.ptp(risk) else None


def _known(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
