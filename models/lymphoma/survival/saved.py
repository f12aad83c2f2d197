"""Fitted models as JSON: every float comes back bit for bit, and nothing in the file is code."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from lymphoma.errors import BundleRefused
from lymphoma.survival.baseline import Baseline
from lymphoma.survival.cox import CoxModel

__all__ = ["cox_from_json", "cox_to_json"]

LAYOUT = 1


def cox_to_json(model: CoxModel) -> str:
    """The model as JSON with ``layout`` 1 and ``kind`` "cox"."""
    baseline = model.baseline
    return json.dumps(
        {
            "layout": LAYOUT,
            "kind": "cox",
            "endpoint": model.endpoint,
            "n": model.n,
            "events": model.events,
            "names": list(model.names),
            "coefficients": model.coefficients.tolist(),
            "covariance": model.covariance.tolist(),
            "means": model.means.tolist(),
            "log_likelihood": model.log_likelihood,
            "null_log_likelihood": model.null_log_likelihood,
            "baseline": {
                "method": baseline.method,
                "months": baseline.months.tolist(),
                "last_months": baseline.last_months,
                "cumulative_hazard": baseline.cumulative_hazard.tolist(),
                "variance": baseline.variance.tolist(),
                "shift": baseline.shift.tolist(),
            },
        },
        allow_nan=False,
    )


def cox_from_json(text: str) -> CoxModel:
    """The model again.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE`` where it is no such file or its parts do not fit each other,
            ``BUNDLE_NEWER_LAYOUT``.
    """
    try:
        data = json.loads(text)
        if data["kind"] != "cox":
            raise BundleRefused("BUNDLE_UNREADABLE", "the file holds no Cox model")
        if data["layout"] > LAYOUT:
            raise BundleRefused("BUNDLE_NEWER_LAYOUT", "the file was written by a newer version")
        model = _cox(data)
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, BundleRefused):
            raise
        raise BundleRefused("BUNDLE_UNREADABLE", "the file does not hold a complete Cox model") from error
    p, k = len(model.names), model.baseline.months.size
    shapes = [model.coefficients.shape, model.means.shape, model.covariance.shape, model.baseline.shift.shape]
    steps = [model.baseline.cumulative_hazard.shape, model.baseline.variance.shape]
    if shapes != [(p,), (p,), (p, p), (k, p)] or steps != [(k,), (k,)]:
        raise BundleRefused("BUNDLE_UNREADABLE", "the parts of the model do not fit each other")
    return model


def _cox(data: Any) -> CoxModel:
    steps = data["baseline"]
    if steps["method"] not in ("efron", "breslow"):
        raise ValueError("unknown method of ties")
    baseline = Baseline(
        steps["method"],
        _array(steps["months"]),
        float(steps["last_months"]),
        _array(steps["cumulative_hazard"]),
        _array(steps["variance"]),
        _array(steps["shift"]).reshape(len(steps["months"]), len(data["names"])),
    )
    return CoxModel(
        str(data["endpoint"]),
        tuple(str(name) for name in data["names"]),
        _array(data["coefficients"]),
        _array(data["covariance"]),
        _array(data["means"]),
        baseline,
        int(data["n"]),
        int(data["events"]),
        float(data["log_likelihood"]),
        float(data["null_log_likelihood"]),
    )


def _array(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("not a finite number")
    return array
