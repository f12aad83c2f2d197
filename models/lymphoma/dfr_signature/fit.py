"""The signature fitted on a cohort: each step inside the training fold, survival from what it says of the others.

In every fold: labels, z-score, repeatability, mutual information and the stack of learners, from its training patients
alone. The out-of-fold probabilities enter a Cox model, its cut-off and the four groups with the NCCN-IPI. The paper
fits all of it on its 258 training patients at once and judges on 111 others.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lymphoma.dfr_signature.config import DfrConfig
from lymphoma.dfr_signature.features import DeepFeatures
from lymphoma.dfr_signature.labels import label_of
from lymphoma.dfr_signature.selection import FeatureSelection, fit_selection
from lymphoma.dfr_signature.signature import LEARNERS, Learners, Signature, fit_signature
from lymphoma.errors import CannotDo, NotComputable
from lymphoma.evaluation.patient_folds import folds_of, held_out
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.covariates import SCORE, covariate
from lymphoma.prognosis.cross_fit import CrossFit, Progress, cross_fit, fit_each
from lymphoma.prognosis.four_way import FourWayGroups, fit_four_way
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.training.files import write_whole
from lymphoma.training.folds import Folds

__all__ = ["DfrFit", "EndpointFit", "Fitted", "fit_dfr", "fit_once", "score_name"]

OTHERWISE = "the signature did not order patients it never saw better than chance"


def score_name(endpoint: Endpoint) -> str:
    """Of the signature of an endpoint: the chance of the event that it learned."""
    return f"dfr_signature_{endpoint}"


@dataclass(frozen=True, eq=False)
class Fitted:
    """One run through all steps, on some patients."""

    selection: FeatureSelection
    signature: Signature

    def probability(self, features: Floats) -> Floats:
        """(n,) of features (n, 1000)."""
        return self.signature.probability(self.selection.apply(features))


@dataclass(frozen=True, eq=False)
class EndpointFit:
    """The signature of one endpoint.

    Attributes:
        index: (n,) positions in the cohort of the patients with a known outcome.
        parts: positions in ``index`` that each fold held out.
        probability: (n,), by a signature none of whose steps saw the patient.
        whole: fitted on all n; what a bundle keeps. fit: survival from ``probability``.
        groups: with the NCCN-IPI, of ``probability``; None where ``no_groups`` says why.
    """

    endpoint: Endpoint
    index: Ints
    follow_up: FollowUp
    parts: tuple[Ints, ...]
    probability: Floats
    whole: Fitted
    fit: CrossFit
    groups: FourWayGroups | None
    no_groups: str


@dataclass(frozen=True, eq=False)
class DfrFit:
    """All that a bundle is made of.

    Attributes:
        endpoints: those that are trained; where none is, all, and ``trained`` is False.
        left_out: endpoint -> why there is no model of it. backbone: digest of the network whose features were read.
    """

    config: DfrConfig
    endpoints: tuple[EndpointFit, ...]
    trained: bool
    left_out: Mapping[Endpoint, str]
    backbone: str


def fit_once(
    features: DeepFeatures,
    follow_up: FollowUp,
    config: DfrConfig,
    folder: Path,
    learners: Learners = LEARNERS,
) -> Fitted:
    """All steps on these patients.

    Args:
        folder: where the learners work. learners: of the stack, by AutoGluon's names.

    Raises:
        NotComputable: ``NOT_INSTALLED``; ``ONE_CLASS``, ``TOO_FEW_EVENTS``, ``TOO_FEW_REPEATABLE``,
            ``VALUES_NOT_FINITE``.
    """
    label = label_of(config.label, follow_up)
    selection = fit_selection(features.drawn, features.repeats, label.event, config.selection, known=label.known)
    weight = None if config.label == "event" else label.weight
    chosen = selection.apply(features.drawn)
    made = fit_signature(
        chosen, label.event, config.signature, folder, weight=weight, seed=config.seed, learners=learners
    )
    return Fitted(selection, made.signature)


def fit_dfr(
    patients: Patients,
    features: DeepFeatures,
    config: DfrConfig,
    folder: Path,
    *,
    folds: Folds | None = None,
    learners: Learners = LEARNERS,
    progress: Progress | None = None,
) -> DfrFit:
    """Fits each endpoint; one that cannot be fitted is left out and said.

    Args:
        features: of ``patients``, in their order. folder: of one cohort and configuration; folds that are done stay
            there, so that a fit that was killed goes on. folds: by patient id; None makes ``config.folds`` of them.
        progress: called with (signatures fitted, signatures in all).

    Raises:
        CannotDo: with the code of the first endpoint, where none can be fitted; ``FOLDS_IMPOSSIBLE``.
        ValueError: features of other patients.
    """
    if len(features) != len(patients):
        raise ValueError(f"features of {len(features)} patients, not of {len(patients)}")

    def fit(endpoint: Endpoint, tell: Progress | None) -> EndpointFit:
        return _endpoint(patients, features, endpoint, config, folder, folds, learners, tell)

    each = fit_each(config.endpoints, fit, lambda one: one.fit.beats_chance, OTHERWISE, progress)
    return DfrFit(config, each.fits, each.trained, each.left_out, features.backbone)


def _endpoint(
    patients: Patients,
    features: DeepFeatures,
    endpoint: Endpoint,
    config: DfrConfig,
    folder: Path,
    folds: Folds | None,
    learners: Learners,
    progress: Progress | None,
) -> EndpointFit:
    index = patients.known(endpoint)
    follow_up = patients.follow_up(endpoint, index)
    own = features.take(index)
    split = folds or folds_of(patients, index, config.folds, config.seed, endpoint)
    parts = held_out(split, [patients.ids[i] for i in index])
    tell = progress or (lambda done, of: None)
    probability = np.full(len(index), np.nan)
    for number, held in enumerate(parts, start=1):
        train = np.setdiff1d(np.arange(len(index)), held)
        file = folder / f"{endpoint}_{number}.npy"
        found = _kept(file, len(held))
        if found is None:
            one = fit_once(own.take(train), follow_up.take(train), config, folder, learners)
            found = one.probability(own.drawn[held])
            _keep(file, found)
        probability[held] = found
        tell(number, len(parts) + 1)
    whole = fit_once(own, follow_up, config, folder, learners)
    tell(len(parts) + 1, len(parts) + 1)
    fit = cross_fit(
        endpoint,
        [covariate(f"{SCORE}{score_name(endpoint)}").term],
        [probability.tolist()],
        follow_up,
        parts,
        rule=config.rule,
        resamples=config.resamples,
        seed=config.seed,
    )
    groups, why = _groups(patients, index, endpoint, follow_up, probability)
    return EndpointFit(endpoint, index, follow_up, tuple(parts), probability, whole, fit, groups, why)


def _groups(
    patients: Patients, index: Ints, endpoint: Endpoint, follow_up: FollowUp, probability: Floats
) -> tuple[FourWayGroups | None, str]:
    clinical = [patients.clinical[i] for i in index]
    try:
        return fit_four_way(endpoint, score_name(endpoint), probability, clinical, follow_up, out_of_fold=True), ""
    except CannotDo as fault:
        return None, fault.reason


def _keep(file: Path, values: Floats) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, buffer.getvalue())


def _kept(file: Path, count: int) -> Floats | None:
    """Probabilities of a fold that is done; None where there are none, or of another number of patients."""
    if not file.is_file():
        return None
    try:
        found = np.load(file, allow_pickle=False)
    except ValueError as fault:
        raise NotComputable("FEATURES_UNREADABLE", f"{file.name} is not whole; remove it") from fault
    return np.asarray(found, dtype=np.float64) if found.shape == (count,) else None
