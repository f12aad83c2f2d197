"""What came of an evaluation: results of single patients on disk, figures as JSON, tables in Markdown."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from lymphoma.segmentation.agreement import (
    AgreementFigures,
    LesionAgreement,
    Spared,
    against,
    gap,
    paired,
    summarise,
)
from lymphoma.survival.bootstrap import Interval
from lymphoma.training.files import write_whole

__all__ = [
    "Evaluation",
    "Judged",
    "Kept",
    "MethodFigures",
    "figures_of",
    "read_evaluation",
    "tables_of",
    "write_evaluation",
]

REFERENCE = "suv4"
"""The method against whose drawing it is counted what is removed and what is kept."""

COMPARED = (("lamp", "plain"), ("hybrid", "suv4"), ("hybrid", "lamp"))
"""Who is said to be better than whom, if at all: where the interval of the paired difference leaves 0 out."""

Judged = Mapping[str, Sequence[LesionAgreement]]
"""Method -> agreement of each patient, in one order of patients."""


@dataclass(frozen=True)
class _Result:
    key: str
    agreement: LesionAgreement


_RESULT = TypeAdapter(_Result)


@dataclass(frozen=True)
class Kept:
    """Results of single patients in a folder, so that an evaluation goes on where it was stopped."""

    folder: Path

    def get(self, patient_id: str, method: str, key: str) -> LesionAgreement | None:
        """The result, if it was made from the same patient by the same method."""
        try:
            found = _RESULT.validate_json(self._file(patient_id, method).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return found.agreement if found.key == key else None

    def put(self, patient_id: str, method: str, key: str, agreement: LesionAgreement) -> None:
        """Keeps a result in place of the one before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._file(patient_id, method), _RESULT.dump_json(_Result(key, agreement)))

    def _file(self, patient_id: str, method: str) -> Path:
        name = hashlib.sha256(patient_id.encode()).hexdigest()[:24]
        return self.folder / f"{name}.{method}.json"


@dataclass(frozen=True)
class MethodFigures:
    """One method on one cohort.

    Attributes:
        words: what it is, for the reader. spared: against SUV >= 4; None for that itself.
    """

    cohort: str
    patients: int
    method: str
    words: str
    figures: AgreementFigures
    spared: Spared | None


@dataclass(frozen=True)
class MethodGap:
    """Figures of a method on the first cohort less those on the second."""

    method: str
    figures: AgreementFigures


@dataclass(frozen=True)
class MethodPair:
    """Figures of ``method`` less those of ``other`` on the same patients."""

    cohort: str
    method: str
    other: str
    figures: AgreementFigures


@dataclass(frozen=True)
class Evaluation:
    """All figures, cohort by cohort and method by method; ``pairs`` as of :data:`COMPARED`."""

    rows: tuple[MethodFigures, ...]
    gaps: tuple[MethodGap, ...]
    pairs: tuple[MethodPair, ...]


_EVALUATION = TypeAdapter(Evaluation)


def figures_of(judged: Mapping[str, Judged], words: Mapping[str, str]) -> Evaluation:
    """Figures with intervals.

    Args:
        judged: cohort -> its results; with two cohorts the gap between them is told too. words: method -> what it is.
    """
    rows, pairs = [], []
    for cohort, methods in judged.items():
        for method, other in COMPARED:
            if method in methods and other in methods:
                pairs.append(MethodPair(cohort, method, other, paired(methods[method], methods[other])))
        reference = methods.get(REFERENCE)
        for method, patients in methods.items():
            spared = None if reference is None or method == REFERENCE else against(patients, reference)
            rows.append(MethodFigures(cohort, len(patients), method, words[method], summarise(patients), spared))
    gaps: list[MethodGap] = []
    if len(judged) == 2:
        first, second = judged.values()
        gaps = [MethodGap(method, gap(first[method], second[method])) for method in first if method in second]
    return Evaluation(tuple(rows), tuple(gaps), tuple(pairs))


def write_evaluation(file: Path, evaluation: Evaluation) -> None:
    """As JSON; what is not a number is ``null``."""
    write_whole(file, _EVALUATION.dump_json(evaluation, indent=1) + b"\n")


def read_evaluation(file: Path) -> Evaluation:
    """Reads what :func:`write_evaluation` wrote.

    Raises:
        pydantic.ValidationError: another layout.
    """
    return _EVALUATION.validate_python(json.loads(file.read_bytes(), object_hook=_with_nan))


def _with_nan(values: dict[str, object]) -> dict[str, object]:
    """JSON has no word for what is not a number; of an interval only p may be absent."""
    return {name: math.nan if value is None and name in _NUMBERS else value for name, value in values.items()}


_NUMBERS = ("estimate", "lower", "upper")

_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("dice", "Dice", 2),
    ("dice_pooled", "Dice, pooled", 2),
    ("false_positive_ml", "FPV, mL", 1),
    ("false_negative_ml", "FNV, mL", 1),
    ("precision_pooled", "precision", 2),
    ("recall_pooled", "recall", 2),
    ("recall_large", "recall, 3 mL and more", 2),
    ("volume_error_ml", "error of TMTV, mL", 0),
)


def tables_of(evaluation: Evaluation) -> str:
    """Markdown: a table for each cohort, one of methods against each other, one of the gap."""
    parts = []
    for cohort in dict.fromkeys(row.cohort for row in evaluation.rows):
        rows = [row for row in evaluation.rows if row.cohort == cohort]
        parts.append(f"### {cohort}, {rows[0].patients} patients\n\n" + _figures_table(rows))
    if evaluation.pairs:
        told = [(f"{one.method} less {one.other}, {one.cohort}", one.figures) for one in evaluation.pairs]
        parts.append("### One method less another, on the same patients\n\n" + _differences(told))
    if evaluation.gaps:
        first, second = dict.fromkeys(row.cohort for row in evaluation.rows)
        told = [(one.method, one.figures) for one in evaluation.gaps]
        parts.append(f"### The gap: {first} less {second}\n\n" + _differences(told))
    return "\n\n".join(parts) + "\n"


def _figures_table(rows: Sequence[MethodFigures]) -> str:
    titles = [title for _, title, _ in _COLUMNS]
    lines = [_line(["method", *titles, "removed", "kept"]), _line(["---"] * (len(titles) + 3))]
    for row in rows:
        cells = [_cell(getattr(row.figures, name), digits) for name, _, digits in _COLUMNS]
        spared = ["", ""] if row.spared is None else [_cell(row.spared.removed, 2), _cell(row.spared.kept, 2)]
        lines.append(_line([row.method, *cells, *spared]))
    return "\n".join(lines)


def _differences(told: Sequence[tuple[str, AgreementFigures]]) -> str:
    lines = [_line(["method", *(title for _, title, _ in _COLUMNS)]), _line(["---"] * (len(_COLUMNS) + 1))]
    for name, figures in told:
        lines.append(_line([name, *(_cell(getattr(figures, column), digits) for column, _, digits in _COLUMNS)]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Interval, digits: int) -> str:
    if not math.isfinite(value.estimate):
        return "-"
    said: Callable[[float], str] = lambda number: f"{number:.{digits}f}"  # noqa: E731 - three uses in one line
    return f"{said(value.estimate)} ({said(value.lower)}, {said(value.upper)})"
