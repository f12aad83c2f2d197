"""A prognostic model, and out-of-fold predictions, as JSON: every float comes back bit for bit, nothing is code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.prognosis.covariates import covariate
from lymphoma.prognosis.model import (
    CutOffRule,
    Endpoint,
    GroupCurve,
    PrognosticModel,
    Recalibration,
    WithheldHorizon,
)
from lymphoma.survival.design import Categorical, Continuous, Term, columns_of
from lymphoma.survival.saved import cox_from_json, cox_to_json

__all__ = ["OutOfFold", "model_from_json", "model_to_json", "out_of_fold_from_json", "out_of_fold_to_json"]

LAYOUT = 1


@dataclass(frozen=True)
class OutOfFold:
    """Linear predictors of the training patients by models that never saw them.

    Attributes:
        folds: how many. linear_predictors: endpoint -> digest of a patient's content -> value; no id is kept. The
            content is that of :attr:`lymphoma.evaluation.patients.Patients.contents`.
    """

    folds: int
    linear_predictors: Mapping[Endpoint, Mapping[str, float]]


@dataclass(frozen=True)
class _Stored:
    """All of a model but its Cox model, as the file has it."""

    endpoint: Endpoint
    terms: tuple[Categorical | Continuous, ...]
    axis_values: tuple[tuple[float | str, ...], ...]
    horizons_months: tuple[float, ...]
    percentiles: tuple[float, ...]
    cutoffs: tuple[float, ...]
    groups: tuple[GroupCurve, ...]
    cutoff_rule: CutOffRule
    grouped_out_of_fold: bool
    withheld_horizons: tuple[WithheldHorizon, ...]
    recalibration: Recalibration | None


_MODEL = TypeAdapter(_Stored)
_OUT_OF_FOLD = TypeAdapter(OutOfFold)


def model_to_json(model: PrognosticModel) -> str:
    """The model as JSON with ``layout`` 1 and ``kind`` "prognostic"."""
    stored = _Stored(**{name: getattr(model, name) for name in _Stored.__dataclass_fields__})
    head = {"layout": LAYOUT, "kind": "prognostic"}
    content = {**head, **asdict(stored), "cox": json.loads(cox_to_json(model.cox))}
    return json.dumps(content, allow_nan=False) + "\n"


def model_from_json(text: str) -> PrognosticModel:
    """The model again.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE`` where it is no such file, its parts do not fit each other, or it reads a
            covariate that this version does not know or knows otherwise; ``BUNDLE_NEWER_LAYOUT``.
    """
    content = _content(text, "prognostic")
    cox = cox_from_json(json.dumps(content.pop("cox", None)))
    try:
        stored = _MODEL.validate_python(content, extra="forbid")
        model = PrognosticModel(cox=cox, **{name: getattr(stored, name) for name in _Stored.__dataclass_fields__})
        _check(model)
    except (ValidationError, ValueError, KeyError) as error:
        if isinstance(error, BundleRefused):
            raise
        raise BundleRefused("BUNDLE_UNREADABLE", "the file does not hold a complete prognostic model") from error
    return model


def out_of_fold_to_json(predictions: OutOfFold) -> str:
    """The predictions as JSON, in ascending order of digest, so that the order of the patients is not kept either."""
    ordered = {
        endpoint: {content: found[content] for content in sorted(found)}
        for endpoint, found in predictions.linear_predictors.items()
    }
    content = {"layout": LAYOUT, "kind": "out_of_fold", "folds": predictions.folds, "linear_predictors": ordered}
    return json.dumps(content, allow_nan=False) + "\n"


def out_of_fold_from_json(text: str) -> OutOfFold:
    """The predictions again.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE``, ``BUNDLE_NEWER_LAYOUT``.
    """
    try:
        return _OUT_OF_FOLD.validate_python(_content(text, "out_of_fold"), extra="forbid")
    except ValidationError as error:
        raise BundleRefused("BUNDLE_UNREADABLE", "the file does not hold out-of-fold predictions") from error


def _content(text: str, kind: str) -> dict[str, Any]:
    """The fields but ``layout`` and ``kind``, which must be as expected."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise BundleRefused("BUNDLE_UNREADABLE", "the file is no JSON") from error
    if not isinstance(content, dict) or content.pop("kind", None) != kind:
        raise BundleRefused("BUNDLE_UNREADABLE", f"the file is not of the kind {kind}")
    layout = content.pop("layout", None)
    if not isinstance(layout, int):
        raise BundleRefused("BUNDLE_UNREADABLE", "the file says no layout")
    if layout > LAYOUT:
        raise BundleRefused("BUNDLE_NEWER_LAYOUT", f"the file has layout {layout}, this version reads {LAYOUT}")
    return content


def _check(model: PrognosticModel) -> None:
    """The parts fit each other, and every covariate is read as it was when the model was fitted."""
    for term in model.terms:
        if not _known(term):
            raise BundleRefused("BUNDLE_UNREADABLE", f"the covariate {term.name} is not one that this version reads")
    numbers = (*model.horizons_months, *model.percentiles, *model.cutoffs)
    if not np.isfinite(numbers).all() or any(value != value for ticks in model.axis_values for value in ticks):
        raise ValueError("a number is not finite")
    falling = any((np.diff(row) < 0).any() for row in (model.percentiles, model.horizons_months))
    if falling or len(model.percentiles) != 101 or (np.diff(model.cutoffs) <= 0).any():
        raise ValueError("percentiles, horizons and cut-offs ascend")
    lengths = {len(model.groups) == len(model.cutoffs) + 1, len(model.axis_values) == len(model.terms)}
    lengths |= {_whole(group) for group in model.groups}
    if lengths != {True} or columns_of(model.terms) != model.cox.names or model.cox.endpoint != model.endpoint:
        raise ValueError("the parts of the model do not fit each other")
    try:
        _ = model.nomogram
    except NotComputable as error:
        raise BundleRefused("BUNDLE_UNREADABLE", f"the model has no nomogram: {error.reason}") from error


def _known(term: Term) -> bool:
    try:
        return covariate(term.name).term == term
    except KeyError:
        return False


def _whole(group: GroupCurve) -> bool:
    return len({len(row) for row in (group.survival, group.lower, group.upper, group.at_risk)}) == 1
