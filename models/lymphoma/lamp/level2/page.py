"""Level 2 as JSON and as a page of the docs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from lymphoma.evaluation.result import Estimate
from lymphoma.lamp.arms import ARMS
from lymphoma.lamp.level2.result import Comparison, Level2Results, Row

__all__ = ["markdown", "results_json"]

HEAD = """# LAMP at image level

Made by `python -m lymphoma.lamp.level2`; do not edit.

{training} virtual patients to learn from, {tested} to be judged on, each with PET and CT, whose lesions were drawn
and whose features were pooled as a node does it (lesion network `{network}`). Who has no accepted lesion takes no part.
The mechanism of each patient's risk is known; the log hazard ratio has a spread of 1. Times and censoring are drawn
anew for every drawing, with the same true risk. Inner folds of the training patients tell how long a head is trained.

*truth* is the concordance of the risk with the true risk over all pairs of test patients, *Spearman* the rank
correlation with it, *Harrell* the C-index with the drawn outcomes; means over drawings, with 95 % intervals over
patients and drawings. *gain* is the fall of the validation loss below that of constant hazards, *learnt* the drawings
in which it fell at all. A difference is shown where its paired interval leaves out 0. Nothing here says anything of
real patients.
"""
CONTROLS = {
    "permuted": "the training outcomes belong to others: chance, on average over drawings",
    "lesions_shuffled": "everybody has the lesions of another patient: what is left comes from organs, or is chance",
}
LABELS = {
    "truth": "the true risk itself",
    "null": "no model",
    "log_tmtv": "log TMTV",
    "impi": "IMPI as published",
    "cox": "Cox of TMTV, Dmaxbulk, SUVpeak, age, ECOG",
}


def results_json(results: Level2Results) -> str:
    """Every number, with the groups in order."""
    groups = [
        {
            "mode": group.mode,
            "control": group.control,
            "rows": [asdict(row) for row in rows],
            "comparisons": [asdict(one) for one in results.comparisons.get(group, ())],
        }
        for group, rows in results.rows.items()
    ]
    head = {"training": results.training, "tested": results.tested, "network": results.network}
    return json.dumps({**head, "groups": groups}, indent=1) + "\n"


def markdown(results: Level2Results) -> str:
    """The page's text."""
    parts = [HEAD.format(training=results.training, tested=results.tested, network=results.network[:12])]
    for group, rows in results.rows.items():
        title = f"## {group.mode.replace('_', ' ')}" + (
            f", control: {group.control.replace('_', ' ')}" if group.control else ""
        )
        parts.append(title)
        if group.control:
            parts.append(f"{CONTROLS[group.control].capitalize()}.")
        parts.append("\n".join(_rows(rows)))
        compared = results.comparisons.get(group, ())
        if compared and not group.control:
            parts.append("\n".join(_comparisons(compared)))
    return "\n\n".join(parts) + "\n"


def _rows(rows: Sequence[Row]) -> list[str]:
    head = ("arm", "drawings", "truth", "Spearman", "Harrell", "gain", "learnt")
    lines = [_line(head), _line(("---",) * len(head))]
    for row in rows:
        gain = "" if row.nll_gain is None else f"{row.nll_gain:+.3f}"
        learnt = "" if row.arm in LABELS else f"{row.learnt}"
        cells = (_named(row), f"{row.draws}", _said(row.truth), _said(row.spearman), _said(row.harrell), gain, learnt)
        lines.append(_line(cells))
    return lines


def _named(row: Row) -> str:
    if row.arm in LABELS:
        return LABELS[row.arm]
    arm = ARMS[row.arm]
    return f"{arm.name}: {arm.says}" + (f" (deviates: {arm.deviates})" if arm.deviates else "")


def _comparisons(compared: Sequence[Comparison]) -> list[str]:
    lines = [_line(("difference in truth", "drawings", "", "says")), _line(("---",) * 4)]
    lines += [
        _line((f"{one.first} - {one.second}", f"{one.draws}", _said(one.difference, signed=True), one.says))
        for one in compared
    ]
    return lines


def _said(estimate: Estimate, *, signed: bool = False) -> str:
    if estimate.value is None:
        return "none"
    form = "+.3f" if signed else ".3f"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.value:{form}}"
    return f"{estimate.value:{form}} ({estimate.lower:{form}} to {estimate.upper:{form}})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
