"""The results as a page of the docs: tables, verdicts, and two figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lymphoma.evaluation.result import Estimate
from lymphoma.lamp.arms import ARMS
from lymphoma.lamp.pilot.cells import BASELINES, FOLDED_UP_TO, CellResult
from lymphoma.lamp.pilot.features import MOST_LESIONS
from lymphoma.lamp.pilot.patients import PLAIN_WORST
from lymphoma.lamp.pilot.plan import SIZES
from lymphoma.lamp.pilot.result import LEAST_REPETITIONS, Group, PilotResults, Row

__all__ = ["markdown", "write_page"]

WANTED_GAIN = 0.8
"""Of the truth's gain."""
DRAWN = ("mean", "abmla", "full", "extension_abmla", "extension")
PICTURE = "lamp-pilot.png"
WORST = "worst_lesion"

HEAD = """# What LAMP's head learns at feature level

Made by `python -m lymphoma.lamp.pilot --out FOLDER --page docs/lamp-pilot.md`; do not edit. {cells} runs.

The patients are virtual and have no images: a sampler fitted to measured ones draws the features of their lesions and
organs ([virtual patients](virtual-patients.md)). Each repetition has its own 5,000 patients to learn from and its own
5,000 to be judged on. Of 5,000 a fifth serves for early stopping; with {folded} or fewer, five inner folds choose the
number of updates and the head is then trained on all. The mechanism of the risk is known, the log hazard ratio
has a spread of 1. What is shown here says what the head can learn; it says nothing about real patients.

*truth* is the concordance of the risk with the true risk over all pairs of test patients, *Harrell* the C-index with
the censored outcomes, both as mean over repetitions with a 95 % interval over patients and repetitions. *gain* is the
share of the true risk's own gain over 0.5 in Harrell's C. *train* is truth on the patients learnt from. *NLL* is that
of the validation patients less that of constant hazards, so that a run that learnt something lies below 0; *trained*
counts the repetitions that do. *count* is the correlation of the risk with the log number of lesions. Features are
*clean* (eight that carry the mechanisms' own terms), *linear* (18 descriptions mixed into 128) or *nonlinear* (mixed
and bent). Only the {most} largest lesions of a patient are read.
"""


def write_page(file: Path, results: PilotResults) -> None:
    """Writes the page, and its figures into ``images/`` beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn = _draw(file.parent / "images" / PICTURE, results)
    file.write_text(markdown(results, picture=drawn), encoding="utf-8")


def markdown(results: PilotResults, *, picture: bool = False) -> str:
    """The page's text."""
    parts = [
        HEAD.format(cells=len(results), most=MOST_LESIONS, folded=FOLDED_UP_TO),
        _arms(results),
        _positive(results),
    ]
    if picture:
        parts.append(
            f"## Learning curves\n\nTest solid, train dashed.\n\n![Concordance with the true risk](images/{PICTURE})\n"
        )
    parts += [_tables(results), _verdicts(results), _updates(results), _permuted(results)]
    return "\n".join(part for part in parts if part)


def _arms(results: PilotResults) -> str:
    used = {row.arm for rows in results.rows.values() for row in rows}
    lines = ["## Arms", "", "| arm | what it is | differs from the paper in |", "|---|---|---|"]
    for name, arm in ARMS.items():
        if name in used:
            lines.append(f"| `{name}` | {arm.says} | {arm.deviates or '-'} |")
    lines.append("| `truth`, `log_tmtv`, `log_count` | the true risk, log TMTV, log number of lesions as risks | |")
    return "\n".join(lines) + "\n"


def _positive(results: PilotResults) -> str:
    said = []
    for mode, what in ((PLAIN_WORST, "as it is"), (WORST, "standardised by count and TMTV")):
        rows = results.rows.get(Group("clean", mode, max(SIZES)), ())
        gain = {row.arm: row.gain for row in rows if row.gain is not None}
        if "abmla" in gain:
            reached = "reached" if gain["abmla"] >= WANTED_GAIN else "not reached"
            others = ", ".join(f"`{name}` {gain[name]:.0%}" for name in ("mean", "log_tmtv") if name in gain)
            said.append(f"- {what}: `abmla` gains {gain['abmla']:.0%}, {reached}; {others}.")
    if not said:
        return ""
    lines = (
        "## Positive control",
        "",
        "The largest lesion score decides, eight clean features carry its terms, and 5,000 patients are learnt from.",
        "Of what the true risk gains in Harrell's C over 0.5, attention over the lesions is to gain "
        f"{WANTED_GAIN:.0%}. With the lesion score",
        "",
        *said,
    )
    return "\n".join(lines) + "\n"


def _tables(results: PilotResults) -> str:
    lines = ["## Tables", ""]
    for group, rows in results.rows.items():
        lines += [
            f"### {_title(group)}",
            "",
            "| arm | n | truth | Harrell | gain | train | NLL | trained | updates | count |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *(_line(row) for row in rows),
            "",
        ]
    return "\n".join(lines)


def _title(group: Group) -> str:
    control = ", lesions of another patient" if group.control else ""
    return f"{group.mode}, {group.encoding} features, {group.patients} patients{control}"


def _line(row: Row) -> str:
    beaten = None if row.nll is None or row.null_nll is None else row.nll - row.null_nll
    updates = "" if row.arm in BASELINES else f"{row.kept_step:.0f}"
    cells = (
        f"`{row.arm}`",
        str(row.repetitions),
        _with_interval(row.truth),
        _with_interval(row.harrell),
        _number(row.gain, 2),
        _number(row.truth_train),
        _number(beaten),
        "" if row.arm in BASELINES else f"{row.trained}/{row.repetitions}",
        updates,
        _number(row.count_correlation, 2),
    )
    return "| " + " | ".join(cells) + " |"


def _verdicts(results: PilotResults) -> str:
    if not results.comparisons:
        return ""
    lines = [
        "## What is shown",
        "",
        "Differences in concordance with the true risk; shown where the paired interval leaves out 0 and there are at",
        f"least {LEAST_REPETITIONS} repetitions, since one alone knows nothing of the chance of a run. They are not",
        "corrected for their number.",
        "",
        "| mechanism | features | patients | first | second | difference | |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in results.comparisons:
        group = one.group
        control = ", shuffled lesions" if group.control else ""
        few = f", {one.repetitions} of {LEAST_REPETITIONS} repetitions" if one.repetitions < LEAST_REPETITIONS else ""
        said = "shown" if one.shown else f"not shown{few}"
        lines.append(
            f"| {group.mode}{control} | {group.encoding} | {group.patients} | `{one.first}` | `{one.second}` "
            f"| {_with_interval(one.difference)} | {said} |"
        )
    return "\n".join(lines) + "\n"


def _updates(results: PilotResults) -> str:
    """Where a run starts, is best and ends, on its validation patients, for the mechanism of the worst lesion."""
    found: dict[tuple[str, int, str], list[CellResult]] = {}
    for result in results.cells:
        cell = result.cell
        if cell.mode == WORST and not cell.control and result.history:
            found.setdefault((cell.encoding, cell.patients, cell.arm), []).append(result)
    if not found:
        return ""
    lines = [
        "## Updates",
        "",
        f"Validation of `{WORST}`: loss less that of constant hazards, and Harrell's C, at the start, at the updates",
        "that were kept and at the end. What a run loses from the one to the other is what early stopping saves.",
        "",
        "| features | patients | arm | loss at start | kept after | loss | C | ended after | loss | C |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (encoding, patients, arm), cells in sorted(found.items()):
        kept = [next(row for row in one.history if row[0] == one.kept_step) for one in cells]
        null = [one.null_nll or 0.0 for one in cells]
        ends = [one.history[-1] for one in cells]
        starts = np.mean([one.history[0][1] - base for one, base in zip(cells, null, strict=True)])
        figures = []
        for rows in (kept, ends):
            loss = np.mean([row[1] - base for row, base in zip(rows, null, strict=True)])
            figures += [
                f"{np.mean([row[0] for row in rows]):.0f}",
                f"{loss:.3f}",
                f"{np.mean([r[2] for r in rows]):.3f}",
            ]
        lines.append(f"| {encoding} | {patients} | `{arm}` | {starts:.3f} | " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


def _permuted(results: PilotResults) -> str:
    if not results.permutations:
        return ""
    lines = [
        "## Permuted outcomes",
        "",
        "Harrell's C on true test outcomes after learning from outcomes that were dealt out anew.",
        "",
        "| mechanism | patients | arm | permutations | mean | standard error | range |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in results.permutations:
        lines.append(
            f"| {one.group.mode} | {one.group.patients} | `{one.arm}` | {one.number} | {one.mean:.3f} "
            f"| {_number(one.standard_error)} | {one.least:.3f} to {one.most:.3f} |"
        )
    return "\n".join(lines) + "\n"


def _with_interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.lower:.3f} to {estimate.upper:.3f})"


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None or value != value else f"{value:.{digits}f}"


def _draw(file: Path, results: PilotResults) -> bool:
    """Curves over the number of patients, test solid and train dashed; False where there is nothing to draw."""
    panels = sorted({(group.mode, group.encoding) for group in results.rows if not group.control})
    if not panels:
        return False
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(4.2 * across, 3.2 * down), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (mode, encoding) in enumerate(panels, start=1):
        axes = figure.add_subplot(down, across, number)
        here = {group.patients: rows for group, rows in results.rows.items() if _is_of(group, mode, encoding)}
        _curves(axes, here)
        axes.set_title(f"{mode}, {encoding}", fontsize=9)
        axes.set_xscale("log")
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
        axes.set_ylim(0.45, 1.0)
        axes.set_xlabel("patients learnt from", fontsize=8)
        axes.axhline(0.5, color="0.7", linewidth=0.8)
    figure.legend(*_keys(figure), loc="outside lower center", ncols=5, fontsize=8)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    return True


def _is_of(group: Group, mode: str, encoding: str) -> bool:
    return not group.control and (group.mode, group.encoding) == (mode, encoding)


def _curves(axes: Axes, by_size: Mapping[int, Sequence[Row]]) -> None:
    for colour, arm in enumerate(DRAWN):
        found = [(size, row) for size, rows in sorted(by_size.items()) for row in rows if row.arm == arm]
        found = [(size, row) for size, row in found if row.truth.value is not None]
        if not found:
            continue
        sizes = [size for size, _ in found]
        test = [float("nan") if row.truth.value is None else row.truth.value for _, row in found]
        axes.plot(sizes, test, f"C{colour}-o", markersize=3, label=arm)
        train = [float("nan") if row.truth_train is None else row.truth_train for _, row in found]
        axes.plot(sizes, train, f"C{colour}--", linewidth=0.8)


def _keys(figure: Figure) -> tuple[list[Artist], list[str]]:
    """One entry an arm, whichever panel shows it."""
    found: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(str(label), handle)
    return list(found.values()), list(found)
