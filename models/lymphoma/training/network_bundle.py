"""A shared network, lesion or anatomy, as a bundle: from the folder of a finished run or from a hand-over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError

from lymphoma.errors import BundleRefused, TrainingFailed
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.plan import GENERATOR
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.sets import SETS
from lymphoma.training.bundle import Bundle, Survival, export_bundle
from lymphoma.training.checkpoint import load_newest
from lymphoma.training.config import TrainConfig, config_digest, read_config
from lymphoma.training.evidence import Evidence, MetricEstimate
from lymphoma.training.filling import distinct, fill
from lymphoma.training.legs import read_handover
from lymphoma.training.metadata import Description, TensorFormat, cohort_digest
from lymphoma.training.result import TrainingResult
from lymphoma.training.statistics import RangeStatistics
from lymphoma.training.trained import trained_weights
from lymphoma.training.weights import Tensors

__all__ = ["Finish", "NetworkWords", "export_network", "read_statistics"]

TRAINED_ON, JUDGED_ON = "network-train", "network-validation"

_STATISTICS = TypeAdapter(RangeStatistics)
_RESULT = TypeAdapter(TrainingResult)


@dataclass(frozen=True)
class NetworkWords:
    """What is said of a network, and of whom its figures are.

    Attributes:
        system: in the bundle's metadata, and the name of the bundle's one network. judged: validation patients.
        further: word -> JSON text, kept and verified with the weights.
    """

    system: str
    name: str
    version: str
    task: str
    description: str
    inputs: Mapping[str, TensorFormat]
    outputs: Mapping[str, TensorFormat]
    judged: int
    intended_use: str
    limits: tuple[str, ...] = ()
    further: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Course:
    """How far the weights to export have come. ``leg_start``: updates before the last restart of the optimiser."""

    step: int
    kept_step: int
    metrics: Mapping[str, float]
    leg_start: int


@dataclass(frozen=True, eq=False)
class Finish:
    """What was done to the trained weights before they are stored, and how validation patients fared with it."""

    tensors: Tensors
    metrics: Mapping[str, float]


def export_network(
    folder: Path,
    network: torch.nn.Module,
    run: Path,
    words: NetworkWords,
    statistics: RangeStatistics,
    finish: Finish | None = None,
) -> Bundle:
    """Writes the bundle of the weights that validation chose; float16, each tensor once.

    Args:
        folder: of the bundle; must not be there. network: as it was trained, of any weights.
        run: folder of a run whose last leg is over, or a hand-over. statistics: of the scans it learned from.
        finish: in place of the weights and figures of the run; the words say what it is.

    Raises:
        TrainingFailed: ``HANDOVER_UNUSABLE``: the run has not come to an end, or is not whole.
        BundleRefused: ``BUNDLE_EXISTS``; ``BUNDLE_UNREADABLE``, the weights are another network's.
    """
    trained = trained_weights(run)
    if trained.state == "checkpoint":
        raise TrainingFailed("HANDOVER_UNUSABLE", f"the training in {run.name} goes on; end its leg first")
    config = read_config(run / "train.yaml")
    tensors = trained.tensors if finish is None else finish.tensors
    fill(network, tensors)
    course = _course(run, config)
    cohort = VirtualCohort(TRAINED_ON, SETS[TRAINED_ON].seeds, SETS[TRAINED_ON].variety, TRAINING_GRID)
    said = Description(
        name=words.name,
        system=words.system,
        version=words.version,
        task=words.task,
        description=words.description,
        authors="The authors of Nodal",
        copyright="Apache-2.0",
        changelog={words.version: "trained on virtual patients"},
        trained_on="virtual",
        cohort=TRAINED_ON,
        cohort_digest=cohort_digest(cohort.subjects),
        folds=1,
        folds_digest=None,
        generator=GENERATOR,
        inputs=words.inputs,
        outputs=words.outputs,
        intended_use=words.intended_use,
        limits=(*_told(course, config), *words.limits),
    )
    figures = tuple(
        MetricEstimate(name, value, None, None, JUDGED_ON)
        for name, value in (course.metrics if finish is None else finish.metrics).items()
        if math.isfinite(value)
    )
    evidence = Evidence("E0", JUDGED_ON, words.judged, None, trained=True, metrics=figures)
    networks = {words.system: distinct(network, tensors)}
    return export_bundle(folder, said, networks, config, statistics, evidence, survival=Survival(further=words.further))


def read_statistics(file: Path) -> RangeStatistics:
    """Statistics of the training scans from a JSON file.

    Raises:
        BundleRefused: ``STATISTICS_UNFIT``.
    """
    try:
        return _STATISTICS.validate_json(file.read_bytes())
    except ValidationError as error:
        raise BundleRefused("STATISTICS_UNFIT", f"{file.name} holds no training statistics") from error


def _course(run: Path, config: TrainConfig) -> _Course:
    if (run / "handover.json").is_file():
        state = read_handover(run, config).state
        kept = state.step if state.best_step is None else state.best_step
        return _Course(state.step, kept, state.best_metrics, state.leg_start)
    try:
        result = _RESULT.validate_json((run / "result.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingFailed("HANDOVER_UNUSABLE", f"the training in {run.name} has no result") from error
    checkpoint = load_newest(run / "checkpoints", config_digest(config))
    leg_start = 0 if checkpoint is None else checkpoint.state.leg_start
    return _Course(result.step, result.kept_step, result.metrics, leg_start)


def _told(course: _Course, config: TrainConfig) -> list[str]:
    said = [f"Weights of update {course.kept_step} of {course.step} done, {config.steps} planned; stored as float16."]
    if course.step < config.steps:
        said.append("The training was ended before its last update.")
    if course.leg_start:
        said.append(
            f"Trained in legs: the optimiser was started anew at update {course.leg_start}, "
            f"with {config.run.leg_warm_up_steps} updates of warm-up."
        )
    said.append(f"Learned and judged on virtual patients of generator {GENERATOR} alone; no figure is of a patient.")
    return said
