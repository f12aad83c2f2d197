"""What is fitted: the signatures of every arm, mechanism and endpoint, over folds of one centre and for the other."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lymphoma.dfr_signature.config import DfrConfig
from lymphoma.dfr_signature.features import DeepFeatures
from lymphoma.dfr_signature.fit import chances_over_folds, fit_once
from lymphoma.errors import CannotDo
from lymphoma.evaluation.patient_folds import folds_of, held_out
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.survival.follow_up import Floats, Ints
from lymphoma.training.files import write_whole

__all__ = ["ARMS", "Arm", "Cell", "Centres", "Chances", "known_rows", "parts_of", "planned", "run_cell"]

Arm = Literal["fused", "random", "ct", "pet", "radiomics"]
"""The signature of the fused image by the network at hand; by one of random weights; of the CT and of the PET alone by
the network at hand; of radiomics."""
ARMS: tuple[Arm, ...] = get_args(Arm)


@dataclass(frozen=True)
class Cell:
    """One signature to be fitted."""

    mode: str
    endpoint: Endpoint
    arm: Arm

    @property
    def name(self) -> str:
        """Of its file and folder."""
        return f"{self.mode}-{self.endpoint}-{self.arm}"


@dataclass(frozen=True, eq=False)
class Centres:
    """Patients of both centres under one mode, and the features of each arm.

    Attributes:
        learn: who teach and are judged by folds. judge: of the other centre, whom no signature sees.
        taught, asked: arm -> features of ``learn`` and of ``judge``.
    """

    learn: Patients
    judge: Patients
    taught: Mapping[Arm, DeepFeatures]
    asked: Mapping[Arm, DeepFeatures]


@dataclass(frozen=True, eq=False)
class Chances:
    """What the signatures of a cell say.

    Attributes:
        over_folds: of the teaching centre's patients, by signatures that never saw them. elsewhere: of the other
            centre's, by one that learned from all of the first. Both in the order of :func:`known_rows`; None, with
            ``problem``, where nothing could be fitted.
    """

    over_folds: Floats | None
    elsewhere: Floats | None
    problem: str = ""


def planned(
    modes: tuple[str, ...], arms: tuple[Arm, ...], endpoints: tuple[Endpoint, ...] = ENDPOINTS
) -> Iterator[Cell]:
    """All cells, mode by mode."""
    for mode in modes:
        for endpoint in endpoints:
            for arm in arms:
                yield Cell(mode, endpoint, arm)


def known_rows(patients: Patients, features: Mapping[Arm, DeepFeatures], endpoint: Endpoint) -> Ints:
    """Patients with an outcome and with features of every arm, so that all arms have the same."""
    known = np.zeros(len(patients), dtype=np.bool_)
    known[patients.known(endpoint)] = True
    for one in features.values():
        known &= np.isfinite(one.drawn).any(axis=1) & np.isfinite(one.repeats).any(axis=2).all(axis=0)
    return np.flatnonzero(known).astype(np.int64)


def parts_of(patients: Patients, index: Ints, config: DfrConfig, endpoint: Endpoint) -> tuple[Ints, ...]:
    """Positions in ``index`` that each fold of the teaching centre holds out.

    Raises:
        NotComputable: ``FOLDS_IMPOSSIBLE``.
    """
    split = folds_of(patients, index, config.folds, config.seed, endpoint)
    return tuple(held_out(split, [patients.ids[at] for at in index]))


def run_cell(cell: Cell, centres: Centres, config: DfrConfig, folder: Path) -> Chances:
    """Fits what is not there yet, and reads the rest.

    Args:
        folder: of one study; ``folder / cell.name`` keeps each fold and the other centre's chances.
    """
    place = folder / cell.name
    own = known_rows(centres.learn, centres.taught, cell.endpoint)
    other = known_rows(centres.judge, centres.asked, cell.endpoint)
    taught, follow_up = centres.taught[cell.arm].take(own), centres.learn.follow_up(cell.endpoint, own)
    try:
        parts = parts_of(centres.learn, own, config, cell.endpoint)
        over_folds = chances_over_folds(taught, follow_up, parts, config, place, "fold")
        file = place / "elsewhere.npy"
        if not file.is_file():
            whole = fit_once(taught, follow_up, config, place)
            _keep(file, whole.probability(centres.asked[cell.arm].drawn[other]))
        elsewhere = np.asarray(np.load(file, allow_pickle=False), dtype=np.float64)
    except CannotDo as fault:
        return Chances(None, None, fault.reason)
    return Chances(over_folds, elsewhere)


def _keep(file: Path, values: Floats) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, buffer.getvalue())
