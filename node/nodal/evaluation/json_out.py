"""Every number of an evaluation as JSON, in the order of its definition; unknown is null with its reason beside."""

from __future__ import annotations

import json
from dataclasses import asdict

from lymphoma.evaluation.result import Evaluation

__all__ = ["LAYOUT", "evaluation_json"]

LAYOUT = 1
"""Grows when a name goes or changes its meaning; a new name leaves it as it is."""


def evaluation_json(evaluation: Evaluation) -> str:
    """The text of ``evaluation.json``.

    Raises:
        ValueError: where a figure is not finite: JSON has no such number, and an evaluation holds None there.
    """
    return json.dumps({"layout": LAYOUT, **asdict(evaluation)}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
