"""A combination as JSON: every float comes back bit for bit, and nothing in the file is code."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from lymphoma.combined.model import Combined, Part, SubModel, score_name
from lymphoma.errors import BundleRefused
from lymphoma.evaluation.combine import Blend, Passed
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.store import model_from_json, model_to_json
from lymphoma.survival.bootstrap import Interval
from lymphoma.training.bundle import Bundle

__all__ = ["combined_from_json", "combined_of", "combined_to_json"]

LAYOUT = 1


@dataclass(frozen=True)
class _Blend:
    """:class:`Blend` with lists in place of arrays."""

    inputs: tuple[str, ...]
    used: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    rule: Literal["equal", "ridge"]
    penalty: float | None
    n: int
    events: int


@dataclass(frozen=True)
class _SubModel:
    blend: _Blend
    concordance: Interval
    model: dict[str, Any]


@dataclass(frozen=True)
class _Stored:
    """The file."""

    layout: int
    kind: Literal["combined"]
    endpoint: Endpoint
    inputs: tuple[str, ...]
    parts: tuple[Part, ...]
    sub_models: tuple[_SubModel, ...]
    passed: tuple[Passed, ...]


_STORED = TypeAdapter(_Stored)


def combined_to_json(combined: Combined) -> str:
    """The combination with ``layout`` 1 and ``kind`` "combined"."""
    sub_models = tuple(
        _SubModel(_listed(one.blend), one.concordance, json.loads(model_to_json(one.model)))
        for one in combined.sub_models
    )
    stored = _Stored(
        LAYOUT, "combined", combined.endpoint, combined.inputs, combined.parts, sub_models, combined.passed
    )
    return json.dumps(asdict(stored), allow_nan=False) + "\n"


def combined_from_json(text: str) -> Combined:
    """The combination again.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE`` where it is no such file or its parts do not fit each other,
            ``BUNDLE_NEWER_LAYOUT``.
    """
    try:
        content = json.loads(text)
        layout = content.get("layout") if isinstance(content, dict) else None
        if isinstance(layout, int) and layout > LAYOUT:
            raise BundleRefused("BUNDLE_NEWER_LAYOUT", "the combination was written by a newer version")
        stored = _STORED.validate_python(content, extra="forbid")
    except (ValueError, ValidationError) as error:
        if isinstance(error, BundleRefused):
            raise
        raise BundleRefused("BUNDLE_UNREADABLE", "the file does not hold a combination") from error
    sub_models = tuple(
        SubModel(_blend(one.blend), model_from_json(json.dumps(one.model)), one.concordance)
        for one in stored.sub_models
    )
    combined = Combined(stored.endpoint, stored.inputs, stored.parts, sub_models, stored.passed)
    _check(combined)
    return combined


def combined_of(bundle: Bundle, endpoint: Endpoint) -> Combined | None:
    """The combination that a bundle holds of an endpoint; None where it holds none.

    Raises:
        BundleRefused: as :func:`combined_from_json`, and as the bundle's own reading.
    """
    text = bundle.further(score_name(endpoint))
    if text is None:
        return None
    combined = combined_from_json(text)
    if combined.endpoint != endpoint:
        raise BundleRefused("BUNDLE_UNREADABLE", "the combination is of another endpoint than it says")
    return combined


def _listed(blend: Blend) -> _Blend:
    return _Blend(
        blend.inputs,
        blend.used,
        tuple(blend.means.tolist()),
        tuple(blend.scales.tolist()),
        tuple(blend.weights.tolist()),
        blend.rule,
        blend.penalty,
        blend.n,
        blend.events,
    )


def _blend(stored: _Blend) -> Blend:
    means, scales, weights = (np.array(row, dtype=np.float64) for row in (stored.means, stored.scales, stored.weights))
    return Blend(
        stored.inputs, stored.used, means, scales, weights, stored.rule, stored.penalty, stored.n, stored.events
    )


def _check(combined: Combined) -> None:
    systems = {part.system for part in combined.parts}
    expected = f"score:{score_name(combined.endpoint)}"
    for one in combined.sub_models:
        blend, rows = one.blend, (one.blend.means, one.blend.scales, one.blend.weights)
        right = (
            {row.shape for row in rows} == {(len(blend.used),)}
            and all(np.isfinite(row).all() for row in rows)
            and bool((blend.scales > 0).all() and (blend.weights >= 0).all())
            and set(blend.used) <= set(blend.inputs) <= set(combined.inputs)
            and one.model.endpoint == combined.endpoint
            and [term.name for term in one.model.terms] == [expected]
        )
        if not right:
            raise BundleRefused("BUNDLE_UNREADABLE", "the parts of a sub-model do not fit each other")
    if not combined.sub_models or not systems <= set(combined.inputs):
        raise BundleRefused("BUNDLE_UNREADABLE", "the combination has no sub-model, or a part that is no input")
