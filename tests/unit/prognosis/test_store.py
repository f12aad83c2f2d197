"""Models as JSON: bit for bit, and refused where they are not what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lymphoma.errors import BundleRefused
from lymphoma.prognosis.measures import PetMeasures, Prospect
from lymphoma.prognosis.model import Recalibration
from lymphoma.prognosis.store import (
    OutOfFold,
    model_from_json,
    model_to_json,
    out_of_fold_from_json,
    out_of_fold_to_json,
)
from lymphoma.survival.clinical import ClinicalFactors

from tests.unit.prognosis.samples import model

pytestmark = pytest.mark.unit

CORRECTION = Recalibration(-0.1, 0.9, "North", 300, 120)
PATIENTS = [
    Prospect(ClinicalFactors(age_years=70.0, stage=4), PetMeasures(tmtv_ml=900.0)),
    Prospect(ClinicalFactors(age_years=70.0), PetMeasures(tmtv_ml=0.0)),
]


@pytest.mark.parametrize("stored", [model(), model().recalibrated(CORRECTION)], ids=["as fitted", "recalibrated"])
def test_round_trip(stored: Any) -> None:
    text = model_to_json(stored)
    again = model_from_json(text)
    assert model_to_json(again) == text
    assert again.recalibration == stored.recalibration
    assert (again.terms, again.axis_values) == (stored.terms, stored.axis_values)
    assert (again.groups, again.cutoffs, again.percentiles) == (stored.groups, stored.cutoffs, stored.percentiles)
    for patient in PATIENTS:
        one, two = stored.predict(patient), again.predict(patient)
        assert np.array_equal(one.curve, two.curve, equal_nan=True)
        assert (one.linear_predictor, one.percentile, one.group) == (two.linear_predictor, two.percentile, two.group)
        assert one.reading == two.reading


def put(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.update({name: value})


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.pop(name)


WRONG = {
    "another kind": put("kind", "cox"),
    "no layout": drop("layout"),
    "no endpoint": drop("endpoint"),
    "another endpoint": put("endpoint", "os"),
    "no such endpoint": put("endpoint", "efs"),
    "a further field": put("code", "import os"),
    "no Cox model": drop("cox"),
    "a Cox model of something else": put("cox", {"kind": "cox", "layout": 1}),
    "an unknown covariate": lambda content: content["terms"][1].update(name="shoe_size"),
    "a covariate on another scale": lambda content: content["terms"][0].update(scale="linear", least=None),
    "other levels": lambda content: content["terms"][2].update(levels=["I", "II-IV"]),
    "a covariate less": lambda content: content["terms"].pop(),
    "no ticks of a covariate": lambda content: content["axis_values"].pop(),
    "ticks without a range": put("axis_values", [[5.0], [60.0], ["I-II"]]),
    "a word that is no level": lambda content: content["axis_values"].__setitem__(2, ["I-II", "V"]),
    "falling percentiles": lambda content: content["percentiles"].reverse(),
    "a percentile less": lambda content: content["percentiles"].pop(),
    "a cut-off more": lambda content: content["cutoffs"].append(9.0),
    "a group less": lambda content: content["groups"].pop(),
    "a curve of another length": lambda content: content["groups"][0]["lower"].pop(),
    "a horizon beyond follow-up": put("horizons_months", [12.0, 240.0]),
    "a turned-round recalibration": put(
        "recalibration", {"intercept": 0.0, "slope": -1.0, "cohort": "x", "n": 1, "events": 1}
    ),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_nonsense_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(model_to_json(model()))
    change(content)
    with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
        model_from_json(json.dumps(content))


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    content = json.loads(model_to_json(model()))
    content["percentiles"][100] = 987654321.5
    with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
        model_from_json(json.dumps(content).replace("987654321.5", number))


@pytest.mark.parametrize("text", ["", "[1]", "{", "null", '"text"'])
def test_a_file_of_something_else_is_refused(text: str) -> None:
    for read in (model_from_json, out_of_fold_from_json):
        with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
            read(text)


def test_a_newer_layout_is_refused() -> None:
    content = {**json.loads(model_to_json(model())), "layout": 2}
    with pytest.raises(BundleRefused, match="BUNDLE_NEWER_LAYOUT"):
        model_from_json(json.dumps(content))


def test_out_of_fold_predictions() -> None:
    given = OutOfFold(5, {"pfs": {"b" * 64: 0.1 + 0.2, "a" * 64: -1.5}, "os": {"a" * 64: 1e-17}})
    text = out_of_fold_to_json(given)
    assert out_of_fold_from_json(text) == given
    turned = OutOfFold(5, {"pfs": {"a" * 64: -1.5, "b" * 64: 0.1 + 0.2}, "os": {"a" * 64: 1e-17}})
    assert out_of_fold_to_json(turned) == text  # the order of patients is not kept
    content = json.loads(text)
    content["linear_predictors"]["efs"] = {}
    with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
        out_of_fold_from_json(json.dumps(content))
