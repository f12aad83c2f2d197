"""The signature fitted on a cohort: each step inside the training fold, survival from what it says of the others.

In every fold: labels, z-score, repeatability, mutual information and the stack of learners, from its training patients
alone. The out-of-fold probabilities enter a Cox model, its cut-off and the four groups with the NCCN-IPI. The paper
fits all of it on its 258 training patients at once and judges on 111 others; :func:`fit_disjoint` fits the signature on
some patients and survival on others.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lymphoma.dfr_signature.config import DfrConfig
from lymphoma.dfr_signature.features import DeepFeatures
from lymphoma.dfr_signature.labels import label_of
from lymphoma.dfr_signature.selection import FeatureSelection, fit_selection
from lymphoma.dfr_signature.signature import Signature, fit_signature
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

__all__ = ["DfrFit", "EndpointFit", "Fitted", "chances_over_folds", "fit_dfr", "fit_disjoint", "fit_once", "score_name"]

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
        parts: positions in ``index`` that each fold held out; of a disjoint fit from survival alone.
        probability: (n,), by a signature none of whose steps saw the patient.
        whole: what a bundle keeps, fitted on all n, or on the other patients of a disjoint fit.
        fit: survival from ``probability``.
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
        disjoint: the signatures were fitted on other patients than those whom survival was fitted on.
    """

    config: DfrConfig
    endpoints: tuple[EndpointFit, ...]
    trained: bool
    left_out: Mapping[Endpoint, str]
    backbone: str
    disjoint: bool = False


@dataclass(frozen=True, eq=False)
class _Judged:
    """Chances of the patients at ``index``, by signatures that never saw them; the rest as in :class:`EndpointFit`."""

    index: Ints
    parts: tuple[Ints, ...]
    probability: Floats
    whole: Fitted


def fit_once(features: DeepFeatures, follow_up: FollowUp, config: DfrConfig, folder: Path) -> Fitted:
    """All steps on these patients.

    Args:
        folder: where the learners work.

    Raises:
        NotComputable: ``NOT_INSTALLED``; ``ONE_CLASS``, ``TOO_FEW_EVENTS``, ``TOO_FEW_REPEATABLE``,
            ``VALUES_NOT_FINITE``.
    """
    label = label_of(config.label, follow_up)
    selection = fit_selection(features.drawn, features.repeats, label.event, config.selection, known=label.known)
    weight = None if config.label == "event" else label.weight
    chosen = selection.apply(features.drawn)
    made = fit_signature(chosen, label.event, config.signature, folder, weight=weight, seed=config.seed)
    return Fitted(selection, made.signature)


def fit_dfr(
    patients: Patients,
    features: DeepFeatures,
    config: DfrConfig,
    folder: Path,
    *,
    folds: Folds | None = None,
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
    _agree(patients, features)

    def judged(endpoint: Endpoint, tell: Progress) -> _Judged:
        return _over_folds(patients, features, endpoint, config, folder, folds, tell)

    return _fitted(judged, patients, config, features.backbone, progress, disjoint=False)


def fit_disjoint(
    learn: Patients,
    taught: DeepFeatures,
    judge: Patients,
    asked: DeepFeatures,
    config: DfrConfig,
    folder: Path,
    *,
    progress: Progress | None = None,
) -> DfrFit:
    """One signature an endpoint, fitted on ``learn``; survival fitted on its chances of ``judge``, whom it never saw.

    Args:
        taught, asked: features of ``learn`` and of ``judge``, by the same network. folder: where the learners work.

    Raises:
        CannotDo: as :func:`fit_dfr`.
        ValueError: a patient stands in both cohorts; features of other patients, or of two networks.
    """
    _agree(learn, taught)
    _agree(judge, asked)
    if set(learn.contents) & set(judge.contents):
        raise ValueError("a patient stands among those who teach and those who judge")
    if taught.backbone != asked.backbone:
        raise ValueError("the features are of two networks")

    def judged(endpoint: Endpoint, tell: Progress) -> _Judged:
        known, index = learn.known(endpoint), judge.known(endpoint)
        split = folds_of(judge, index, config.folds, config.seed, endpoint)
        whole = fit_once(taught.take(known), learn.follow_up(endpoint, known), config, folder)
        tell(1, 1)
        parts = held_out(split, [judge.ids[at] for at in index])
        return _Judged(index, tuple(parts), whole.probability(asked.drawn[index]), whole)

    return _fitted(judged, judge, config, taught.backbone, progress, disjoint=True)


def _agree(patients: Patients, features: DeepFeatures) -> None:
    if len(features) != len(patients):
        raise ValueError(f"features of {len(features)} patients, not of {len(patients)}")


def _fitted(
    judged: Callable[[Endpoint, Progress], _Judged],
    patients: Patients,
    config: DfrConfig,
    backbone: str,
    progress: Progress | None,
    *,
    disjoint: bool,
) -> DfrFit:
    """Args: patients: whom survival is fitted on."""

    def fit(endpoint: Endpoint, tell: Progress | None) -> EndpointFit:
        return _with_survival(judged(endpoint, tell or (lambda done, of: None)), patients, endpoint, config)

    each = fit_each(config.endpoints, fit, lambda one: one.fit.beats_chance, OTHERWISE, progress)
    return DfrFit(config, each.fits, each.trained, each.left_out, backbone, disjoint)


def _over_folds(
    patients: Patients,
    features: DeepFeatures,
    endpoint: Endpoint,
    config: DfrConfig,
    folder: Path,
    folds: Folds | None,
    tell: Progress,
) -> _Judged:
    index = patients.known(endpoint)
    follow_up = patients.follow_up(endpoint, index)
    own = features.take(index)
    split = folds or folds_of(patients, index, config.folds, config.seed, endpoint)
    parts = held_out(split, [patients.ids[i] for i in index])
    probability = chances_over_folds(
        own, follow_up, parts, config, folder, endpoint, lambda done, of: tell(done, len(parts) + 1)
    )
    whole = fit_once(own, follow_up, config, folder)
    tell(len(parts) + 1, len(parts) + 1)
    return _Judged(index, tuple(parts), probability, whole)


def chances_over_folds(
    features: DeepFeatures,
    follow_up: FollowUp,
    parts: Sequence[Ints],
    config: DfrConfig,
    folder: Path,
    name: str,
    progress: Progress | None = None,
) -> Floats:
    """The chance of each patient by a signature none of whose steps saw him or her, (n,).

    Args:
        parts: positions that each fold holds out. folder: folds that are done stay there as ``<name>_<number>.npy``.

    Raises:
        NotComputable: as :func:`fit_once`; ``FEATURES_UNREADABLE``: a file of a fold is not whole.
    """
    probability = np.full(follow_up.n, np.nan)
    for number, held in enumerate(parts, start=1):
        train = np.setdiff1d(np.arange(follow_up.n), held)
        file = folder / f"{name}_{number}.npy"
        found = _kept(file, len(held))
        if found is None:
            one = fit_once(features.take(train), follow_up.take(train), config, folder)
            found = one.probability(features.drawn[held])
            _keep(file, found)
        probability[held] = found
        if progress is not None:
            progress(number, len(parts))
    return probability


def _with_survival(judged: _Judged, patients: Patients, endpoint: Endpoint, config: DfrConfig) -> EndpointFit:
    follow_up = patients.follow_up(endpoint, judged.index)
    fit = cross_fit(
        endpoint,
        [covariate(f"{SCORE}{score_name(endpoint)}").term],
        [judged.probability.tolist()],
        follow_up,
        judged.parts,
        rule=config.rule,
        resamples=config.resamples,
        seed=config.seed,
    )
    groups, why = _groups(patients, judged.index, endpoint, follow_up, judged.probability)
    return EndpointFit(
        endpoint, judged.index, follow_up, judged.parts, judged.probability, judged.whole, fit, groups, why
    )


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
