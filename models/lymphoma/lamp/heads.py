"""The heads of one endpoint, trained over the folds of a cohort, and what they say of patients they never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lymphoma.evaluation.patient_folds import folds_of, held_out
from lymphoma.lamp.bags import LesionBags, pad_bags
from lymphoma.lamp.config import HeadsConfig
from lymphoma.lamp.ensemble import bag_of_patient
from lymphoma.lamp.network import HeadShape, LampHead
from lymphoma.lamp.patients import LampCohort
from lymphoma.lamp.task import HeadTask, LearningSet, risk_of, train_in_memory, train_on_all
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.follow_up import FollowUp
from lymphoma.training.files import write_whole
from lymphoma.training.folds import Folds

__all__ = ["EndpointHeads", "FittedHead", "bags_of", "fit_heads"]

FEW = 1000
"""Up to so many training patients a head learns from all of them, for as many updates as inner folds find best; a part
of them alone is too few to stop by [A]. Of more patients one part stops the training, another for each head."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FittedHead:
    """One head.

    Attributes:
        name: in the bundle, ``pfs_1_0``. kept_step: updates done when its weights were kept.
        nll, null_nll: of the patients of its fold, whom it never saw, and of constant hazards on them.
        risk: (m,), of those patients.
    """

    name: str
    network: LampHead
    kept_step: int
    nll: float
    null_nll: float
    risk: Floats


@dataclass(frozen=True, eq=False)
class EndpointHeads:
    """All heads of an endpoint.

    Attributes:
        index: (n,) positions in the cohort of the patients with a known outcome.
        parts: positions in ``index`` that each fold held out.
        risk: (n,), of each patient by the heads of the fold that held him or her out, in mean.
        nll, null_nll: of all held-out patients, in mean over them.
    """

    endpoint: Endpoint
    index: Ints
    follow_up: FollowUp
    parts: tuple[Ints, ...]
    heads: tuple[FittedHead, ...]
    risk: Floats
    nll: float
    null_nll: float


def bags_of(cohort: LampCohort, shape: HeadShape) -> LesionBags:
    """All patients, padded to the most lesions.

    Raises:
        NotComputable: ``MEASURE_MISSING``.
    """
    pets = cohort.patients.pet
    return pad_bags([bag_of_patient(one, pet, shape) for one, pet in zip(cohort.pooled, pets, strict=True)])


def fit_heads(
    cohort: LampCohort,
    endpoint: Endpoint,
    config: HeadsConfig,
    *,
    folds: Folds | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> EndpointHeads:
    """Trains the heads of every fold.

    Everything that is fitted, standardisation and bins of time included, is fitted in the training part of a fold.

    Args:
        folds: that the segmentation was trained over, by patient id; None makes them.
        folder: where finished heads are kept; a run that was killed goes on with the next head. It belongs to one
            cohort and configuration.
        progress: called with (heads done, heads in all).

    Raises:
        NotComputable: ``FOLDS_IMPOSSIBLE``, ``TOO_FEW_EVENTS``, ``MEASURE_MISSING``. TrainingFailed: of the loss.
    """
    index = cohort.patients.known(endpoint)
    follow_up = cohort.patients.follow_up(endpoint, index)
    bags = bags_of(cohort, config.chosen.shape).take(torch.as_tensor(index))
    split = folds or folds_of(cohort.patients, index, config.folds, config.seed, endpoint)
    parts = held_out(split, [cohort.patients.ids[i] for i in index])
    tell = progress or (lambda done, of: None)
    heads: list[FittedHead] = []
    for number, held in enumerate(parts, start=1):
        train = np.setdiff1d(np.arange(len(index)), held)
        for seed in range(config.seeds):
            learn, stop = _inner(cohort, index, train, seed, config, endpoint)
            learning = _part(bags, follow_up, learn)
            stopping = _part(bags, follow_up, stop) if len(stop) else None
            name = f"{endpoint}_{number}_{seed}"
            file = None if folder is None else folder / f"{name}.safetensors"
            network, step = _trained(learning, stopping, config, seed, file)
            outside = HeadTask(config.chosen, learning, _part(bags, follow_up, held))
            heads.append(_judged(name, outside, network, step))
            tell(len(heads), len(parts) * config.seeds)
    return _together(endpoint, index, follow_up, parts, heads, config.seeds)


def _trained(
    learning: LearningSet, stopping: LearningSet | None, config: HeadsConfig, seed: int, file: Path | None
) -> tuple[LampHead, int]:
    """A head and the updates it took, from its file where it is there already."""
    arm = config.chosen
    if file is not None and (found := _kept(arm.shape, file)) is not None:
        return found
    if stopping is not None:
        done = train_in_memory(HeadTask(arm, learning, stopping), config.seed + seed, steps=config.steps)
    else:
        folds = config.inner_folds
        done = train_on_all(arm, learning, config.seed + seed, folds=folds, steps=config.steps)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.clone().contiguous() for name, tensor in done.network.state_dict().items()}
        write_whole(file, save(tensors, {"kept_step": str(done.kept_step)}))
    return done.network, done.kept_step


def _kept(shape: HeadShape, file: Path) -> tuple[LampHead, int] | None:
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as stored:
            step = int(stored.metadata()["kept_step"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - it is no mapping
        head = LampHead(shape)
        head.load_state_dict(tensors)
    except (SafetensorError, RuntimeError, KeyError, TypeError):
        return None  # half a file, or of another arm: it is trained again
    return head.eval(), step


def _judged(name: str, outside: HeadTask, network: LampHead, step: int) -> FittedHead:
    """A head on the patients that validate ``outside``, whom it never saw."""
    nll = outside.validate(network, torch.device("cpu"))["nll"]
    risk = risk_of(network, outside.validation.bags)
    return FittedHead(name, network, step, nll, outside.null_loss.value, risk)


def _together(
    endpoint: Endpoint,
    index: Ints,
    follow_up: FollowUp,
    parts: Sequence[Ints],
    heads: Sequence[FittedHead],
    seeds: int,
) -> EndpointHeads:
    risk = np.full(len(index), np.nan)
    for number, held in enumerate(parts):
        own = heads[number * seeds : (number + 1) * seeds]
        risk[held] = np.mean([head.risk for head in own], axis=0)
    size = np.array([len(head.risk) for head in heads], dtype=np.float64)

    def mean(values: Sequence[float]) -> float:
        return float(np.average(np.array(values), weights=size))

    nll, null_nll = mean([head.nll for head in heads]), mean([head.null_nll for head in heads])
    return EndpointHeads(endpoint, index, follow_up, tuple(parts), tuple(heads), risk, nll, null_nll)


def _part(bags: LesionBags, follow_up: FollowUp, at: Ints) -> LearningSet:
    return LearningSet(bags.take(torch.as_tensor(at)), follow_up.take(at))


def _inner(
    cohort: LampCohort, index: Ints, train: Ints, seed: int, config: HeadsConfig, endpoint: Endpoint
) -> tuple[Ints, Ints]:
    """Positions in ``index`` that a head learns from, and those that stop it; nobody, where there are few."""
    if len(train) <= FEW:
        return train, train[:0]
    within, count = index[train], config.inner_folds
    folds = folds_of(cohort.patients, within, count, config.seed + seed // count, endpoint)
    places = held_out(folds, [cohort.patients.ids[i] for i in within])
    stop = train[places[seed % count]]
    return np.setdiff1d(train, stop), stop
