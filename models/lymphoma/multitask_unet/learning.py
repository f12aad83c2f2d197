"""One network, trained on some patients of a cohort and judged on others."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from lymphoma.errors import ConfigInvalid, NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.patient_folds import folds_of, held_out
from lymphoma.multitask_unet.comparators import tells_events
from lymphoma.multitask_unet.config import MultitaskConfig, train_config
from lymphoma.multitask_unet.ensemble import Ensemble, open_network
from lymphoma.multitask_unet.examples import Examples, examples_of
from lymphoma.multitask_unet.inputs import PET
from lymphoma.multitask_unet.task import MultitaskTask
from lymphoma.survival.follow_up import Floats, Ints
from lymphoma.training.config import RunConfig, TrainConfig
from lymphoma.training.result import kept_weights
from lymphoma.training.trainer import Trainer

__all__ = ["FittedNetwork", "known_events", "log_odds_of", "train_network"]


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A trained network.

    Attributes:
        name: in the bundle. shift: as in :class:`lymphoma.multitask_unet.ensemble.Member`.
        kept_step: updates done when its weights were kept, of ``training.steps``.
        patients, events, excluded: that it learned from, those with an event within 24 months, and those left out
            because they were censored before.
    """

    name: str
    network: torch.nn.Module
    shift: float
    kept_step: int
    training: TrainConfig
    patients: int
    events: int
    excluded: int


def known_events(cohort: InputCohort, at: Ints, config: MultitaskConfig) -> Examples:
    """Those at ``at``, all with known progression-free survival, whose kind is known."""
    return examples_of(cohort, at, cohort.patients.follow_up("pfs", at), config.weighting)


def train_network(
    cohort: InputCohort,
    at: Ints,
    config: MultitaskConfig,
    name: str,
    *,
    folder: Path | None = None,
    run: RunConfig | None = None,
) -> FittedNetwork:
    """Trains on the patients at ``at``; a part of them, by ``stop_share``, chooses the weights.

    Args:
        folder: where the run lies, so that it goes on after a kill; None takes one that is thrown away.

    Raises:
        NotComputable: ``ONE_CLASS``, ``FOLDS_IMPOSSIBLE``; ``BUNDLE_MISMATCH``: inputs of another size.
        ConfigInvalid: the model tells no event.
        TrainingFailed: of the trainer.
    """
    if not tells_events(config.model):
        raise ConfigInvalid("CONFIG_INVALID", f"model {config.model} tells no event, so it makes no prognosis")
    if cohort.read(int(at[0]))[PET].shape != config.size:
        raise NotComputable("BUNDLE_MISMATCH", "the inputs were prepared for another size than the configuration's")
    learn, stop = _parted(cohort, at, config)
    training = known_events(cohort, learn, config)
    stopping = known_events(cohort, stop, config) if len(stop) else training.take(np.arange(0))
    task = MultitaskTask(config, training, stopping)
    classes = training.classes()
    settings = train_config(config, len(training), run)
    with ExitStack() as stack:
        where = folder or Path(stack.enter_context(TemporaryDirectory(prefix="multitask-unet-")))
        result = Trainer(task, settings, where).run()
        weights = kept_weights(where)
    network = open_network(config.model, config.size, config.widths, weights)
    return FittedNetwork(
        name,
        network,
        float(np.log(classes.free / classes.event)),
        result.kept_step,
        settings,
        len(training),
        int(training.event.sum()),
        training.excluded,
    )


def log_odds_of(network: FittedNetwork, cohort: InputCohort, at: Ints) -> Floats:
    """Of the patients at ``at``, (n,), whatever is known of them."""
    judge = Ensemble.of([network.network], [network.shift])
    return np.array([judge.log_odds(cohort.read(int(i))) for i in at], dtype=np.float64)


def _parted(cohort: InputCohort, at: Ints, config: MultitaskConfig) -> tuple[Ints, Ints]:
    """Patients that the network learns from, and those that choose its weights."""
    if not config.stop_share:
        return at, at[:0]
    count = max(2, round(1 / config.stop_share))
    folds = folds_of(cohort.patients, at, count, config.seed, "pfs")
    stop = at[held_out(folds, [cohort.patients.ids[i] for i in at])[0]]
    return np.setdiff1d(at, stop), stop
