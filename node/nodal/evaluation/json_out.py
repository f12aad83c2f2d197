"""Every number of an evaluation as JSON, in the order of its definition; unknown is null with its reason beside."""

from __future__ import annotations

import json
from dataclasses import asdict

from lymphoma.evaluation.result import Evaluation

from nodal.evaluation.provenance import Provenance

__all__ = ["LAYOUT", "evaluation_json"]

LAYOUT = 1
"""Grows when a name goes or changes its meaning; a new name leaves it as it is."""


def evaluation_json(evaluation: Evaluation, provenance: Provenance | None = None) -> str:
    """The text of ``evaluation.json``: layout, provenance (null where none is known), then the evaluation's fields.

    Raises:
        ValueError: where a figure is not finite: JSON has no such number, and an evaluation holds None there.
    """
    made_from = None if provenance is None else asdict(provenance)
    content = {"layout": LAYOUT, "provenance": made_from, **asdict(evaluation)}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
