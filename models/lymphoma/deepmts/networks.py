"""The networks of one endpoint, trained over folds or once, and what they say of patients they never saw."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lymphoma.deepmts.config import DeepMtsConfig, network_of
from lymphoma.deepmts.judging import Network, Scale, judge
from lymphoma.deepmts.task import DeepMtsTask, LearningSet
from lymphoma.errors import NotComputable, TrainingFailed
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.patient_folds import folds_of, held_out
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.training.folds import Folds
from lymphoma.training.progress import UpdateDone
from lymphoma.training.result import kept_weights
from lymphoma.training.trainer import Trainer
from lymphoma.training.weights import Tensors, halved

__all__ = [
    "EndpointNetworks",
    "FittedNetwork",
    "disjoint_network",
    "fold_networks",
    "learning_task",
    "train_network",
]


SCALED_ON = 200
"""Training patients that tell the scale of a risk; a standard deviation is then known to 5 %."""


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """One network, with its weights rounded as a bundle stores them, and the patients whom it never saw.

    Attributes:
        name: in the bundle, ``pfs_1``. kept_step: updates done when its weights were kept.
        scale: of its risk among the patients who taught it.
        nll, null_nll: of those it never saw, and of a network that tells them nothing apart. risk: (m,), of them, on
            ``scale``, so that networks of different folds can be put side by side.
        dice: mean of its mask with the known one; NaN where it does not segment.
    """

    name: str
    network: Network
    kept_step: int
    scale: Scale
    nll: float
    null_nll: float
    risk: Floats
    dice: float


@dataclass(frozen=True, eq=False)
class EndpointNetworks:
    """All networks of an endpoint.

    Attributes:
        index: (n,) positions in the cohort of the patients who were judged, all with a known outcome.
        parts: positions in ``index`` that each fold held out. risk: (n,), by a network that never saw the patient.
        nll, null_nll, dice: in mean over the patients.
    """

    endpoint: Endpoint
    index: Ints
    follow_up: FollowUp
    parts: tuple[Ints, ...]
    networks: tuple[FittedNetwork, ...]
    risk: Floats
    nll: float
    null_nll: float
    dice: float


def fold_networks(
    cohort: InputCohort,
    endpoint: Endpoint,
    config: DeepMtsConfig,
    *,
    folds: Folds | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> EndpointNetworks:
    """Trains one network a fold; each judges the patients that its fold held out.

    Args:
        folds: by patient id; None makes them. folder: where runs are kept; one that was killed goes on. It belongs to
            one cohort and configuration. progress: called with (updates done, updates in all).

    Raises:
        NotComputable: ``FOLDS_IMPOSSIBLE``, ``TOO_FEW_EVENTS``, ``BUNDLE_MISMATCH``, ``NO_CLINICAL_RECORD``.
        TrainingFailed: of the runs.
    """
    index, everybody = _known(cohort, endpoint, config)
    split = folds or folds_of(cohort.patients, index, config.folds, config.training.seed, endpoint)
    parts = held_out(split, [cohort.patients.ids[at] for at in index])
    networks: list[FittedNetwork] = []
    risk = np.full(len(index), np.nan)
    with _kept(folder) as place:
        for number, held in enumerate(parts, start=1):
            train = np.setdiff1d(np.arange(len(index)), held)
            learn, stop = _stopped(cohort, index[train], endpoint, config)
            task = DeepMtsTask(config, everybody.take(train[learn]), everybody.take(train[stop]))
            name = f"{endpoint}_{number}"
            tell = _shifted(progress, number - 1, len(parts), config)
            trained = train_network(task, Path(place) / name, tell)
            networks.append(_judged(name, trained, replace(task, validation=everybody.take(held))))
            risk[held] = networks[-1].risk
    return _together(endpoint, index, everybody.follow_up, parts, networks, risk)


def disjoint_network(
    learn: InputCohort,
    judged: InputCohort,
    endpoint: Endpoint,
    config: DeepMtsConfig,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> EndpointNetworks:
    """Trains one network on ``learn``, a part of whom stops it; it judges ``judged``, of whom it saw nobody.

    Raises:
        NotComputable: as :func:`fold_networks`. ValueError: a patient stands in both cohorts.
    """
    if set(learn.patients.contents) & set(judged.patients.contents):
        raise ValueError("a patient stands among those who teach and those who judge")
    index, everybody = _known(judged, endpoint, config)
    task = learning_task(learn, endpoint, config)
    name = f"{endpoint}_1"
    with _kept(folder) as place:
        trained = train_network(task, Path(place) / name, _shifted(progress, 0, 1, config))
    network = _judged(name, trained, replace(task, validation=everybody))
    parts = held_out(
        folds_of(judged.patients, index, config.folds, config.training.seed, endpoint),
        [judged.patients.ids[at] for at in index],
    )
    return _together(endpoint, index, everybody.follow_up, parts, [network], network.risk)


def learning_task(cohort: InputCohort, endpoint: Endpoint, config: DeepMtsConfig) -> DeepMtsTask:
    """The task of one network on a whole cohort, of which a part stops the training.

    Raises:
        NotComputable: as :func:`fold_networks`.
    """
    index, everybody = _known(cohort, endpoint, config)
    teach, stop = _stopped(cohort, index, endpoint, config)
    return DeepMtsTask(config, everybody.take(teach), everybody.take(stop))


def train_network(
    task: DeepMtsTask, folder: Path, on_update: Callable[[UpdateDone], None] | None = None
) -> tuple[Network, int]:
    """A trained network and the updates it took; a run that is over in ``folder`` is read, one begun goes on.

    Raises:
        TrainingFailed: see :mod:`lymphoma.errors`.
    """
    run = replace(task.config.training.run, leg_minutes=None, leg_steps=None)
    config = replace(task.config.training, run=run)
    result = Trainer(task, config, folder, on_update=on_update).run()
    if result.ended == "leg":
        raise TrainingFailed("HANDOVER_UNUSABLE", f"the training in {folder.name} is not over")
    return _filled(network_of(task.config.arm, task.config.shape), kept_weights(folder)), result.kept_step


def _filled(network: Network, tensors: Tensors) -> Network:
    network.load_state_dict({name: tensor.float() for name, tensor in halved(tensors).items()})
    return network.eval()


def _judged(name: str, trained: tuple[Network, int], outside: DeepMtsTask) -> FittedNetwork:
    """A network on the patients that validate ``outside``."""
    network, step = trained
    taught = judge(network, outside.training.read, range(min(len(outside.training), SCALED_ON)))
    scale = Scale.of(taught.risk)
    word = judge(network, outside.validation.read, range(len(outside.validation)))
    seen = word.dice[np.isfinite(word.dice)]
    return FittedNetwork(
        name,
        network,
        step,
        scale,
        outside.nll(word.logits),
        outside.null_loss.value,
        scale.apply(word.risk),
        float(seen.mean()) if seen.size else float("nan"),
    )


def _together(
    endpoint: Endpoint,
    index: Ints,
    follow_up: FollowUp,
    parts: Sequence[Ints],
    networks: Sequence[FittedNetwork],
    risk: Floats,
) -> EndpointNetworks:
    size = np.array([len(one.risk) for one in networks], dtype=np.float64)

    def mean(values: Sequence[float]) -> float:
        return float(np.average(np.array(values), weights=size))

    nll, null_nll, dice = (mean([getattr(one, what) for one in networks]) for what in ("nll", "null_nll", "dice"))
    return EndpointNetworks(endpoint, index, follow_up, tuple(parts), tuple(networks), risk, nll, null_nll, dice)


def _known(cohort: InputCohort, endpoint: Endpoint, config: DeepMtsConfig) -> tuple[Ints, LearningSet]:
    """Patients whose outcome is known."""
    index = cohort.patients.known(endpoint)
    if not len(index):
        raise NotComputable("NO_USABLE_PATIENT", f"no patient's {endpoint.upper()} is known")
    shape = cohort.read(int(index[0]))["pet"].shape
    if shape != config.field.size:
        raise NotComputable("BUNDLE_MISMATCH", f"the inputs have {shape} voxels, the configuration {config.field.size}")
    part = cohort.take(index)
    return index, LearningSet(part.read, part.patients.follow_up(endpoint, np.arange(len(index))))


def _stopped(cohort: InputCohort, index: Ints, endpoint: Endpoint, config: DeepMtsConfig) -> tuple[Ints, Ints]:
    """Positions in ``index`` that a network learns from, and those that stop it."""
    folds = folds_of(cohort.patients, index, config.stop_folds, config.training.seed + 1, endpoint)
    stop = held_out(folds, [cohort.patients.ids[at] for at in index])[0]
    return np.setdiff1d(np.arange(len(index)), stop), stop


def _kept(folder: Path | None) -> AbstractContextManager[str | Path]:
    return tempfile.TemporaryDirectory() if folder is None else nullcontext(folder)


def _shifted(
    progress: Progress | None, number: int, of: int, config: DeepMtsConfig
) -> Callable[[UpdateDone], None] | None:
    steps = config.training.steps
    if progress is None:
        return None
    return lambda done: progress(number * steps + done.step, of * steps)
