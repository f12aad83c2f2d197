"""How well organs are found: counts of single patients, figures over all of them, tables."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from lymphoma.anatomy.classes import IGNORED, ClassTable
from lymphoma.training.files import write_whole

__all__ = [
    "AnatomyFigures",
    "CoverageFigures",
    "KeptPatients",
    "OrganFigures",
    "Overlap",
    "PatientResult",
    "figures_of",
]

SEEN_ML = 1.0
"""Less of an organ in the field of view is a rim that is cut, not an organ [A]."""

MISSED_DICE = 0.1
"""Below it the organ was not found."""

Grade = Literal["whole", "partial"]


@dataclass(frozen=True)
class Overlap:
    """One organ of one patient, in mL; lesions left out."""

    common_ml: float
    found_ml: float
    true_ml: float

    @property
    def dice(self) -> float:
        """NaN where the organ is neither there nor found."""
        both = self.found_ml + self.true_ml
        return 2.0 * self.common_ml / both if both else math.nan


@dataclass(frozen=True)
class PatientResult:
    """One patient with one input.

    Attributes:
        organs: of those that the truth can tell. graded, truly: field of view with the found organs and the true.
    """

    organs: Mapping[str, Overlap]
    graded: Grade
    truly: Grade


@dataclass(frozen=True)
class OrganFigures:
    """One organ over all patients.

    Attributes:
        patients: with 1 mL of it or more in the field of view. dice, dice_low: median and 10 % quantile.
        missed: share of patients with a Dice below .1. volume_error: median of found less true, over true;
            volume_spread: 10 % and 90 % quantiles.
        invented: share of patients without the organ in whom 1 mL or more is found; None where all have it.
    """

    patients: int
    dice: float
    dice_low: float
    missed: float
    volume_error: float
    volume_spread: tuple[float, float]
    invented: float | None


@dataclass(frozen=True)
class CoverageFigures:
    """Fields of view as they are graded: (as with the true organs, patients) for each true grade."""

    whole: tuple[int, int]
    partial: tuple[int, int]


@dataclass(frozen=True)
class AnatomyFigures:
    """One cohort with one input.

    Attributes:
        mean_dice: of the organs' medians.
    """

    cohort: str
    given: str
    patients: int
    mean_dice: float
    organs: Mapping[str, OrganFigures]
    coverage: CoverageFigures


_RESULT = TypeAdapter(PatientResult)


@dataclass(frozen=True)
class KeptPatients:
    """Results of single patients in a folder, so that an evaluation goes on where it was stopped.

    Attributes:
        key: of the network; results of another are made anew.
    """

    folder: Path
    key: str

    def get(self, content: str, given: str) -> PatientResult | None:
        """The result of a patient, by the digest of his or her images."""
        try:
            return _RESULT.validate_json(self._file(content, given).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def put(self, content: str, given: str, result: PatientResult) -> None:
        """Keeps a result."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._file(content, given), _RESULT.dump_json(result))

    def _file(self, content: str, given: str) -> Path:
        name = hashlib.sha256(f"{self.key}|{content}".encode()).hexdigest()[:32]
        return self.folder / f"{name}.{given}.json"


def overlaps(
    found: npt.NDArray[Any], true: npt.NDArray[np.uint8], classes: ClassTable, told: Sequence[int], voxel_ml: float
) -> dict[str, Overlap]:
    """Organ -> overlap.

    Args:
        found, true: labels of ``classes`` on one grid; :data:`IGNORED` where the truth says nothing. told: labels that
            the truth can tell.
    """
    judged = true != IGNORED
    found, true = found[judged], true[judged]
    parts = (true[found == true], found, true)
    common, made, there = (np.bincount(part, minlength=len(classes)) * voxel_ml for part in parts)
    return {classes.names[at]: Overlap(float(common[at]), float(made[at]), float(there[at])) for at in told if at}


def figures_of(cohort: str, given: str, results: Sequence[PatientResult]) -> AnatomyFigures:
    """Figures over patients; an organ that nobody has is left out."""
    names = dict.fromkeys(name for one in results for name in one.organs)
    organs = {}
    for name in names:
        here = _organ([one.organs[name] for one in results if name in one.organs])
        if here is not None:
            organs[name] = here
    mean = float(np.mean([one.dice for one in organs.values()])) if organs else math.nan
    graded: dict[Grade, tuple[int, int]] = {}
    for grade in ("whole", "partial"):
        those = [one.graded == grade for one in results if one.truly == grade]
        graded[grade] = (sum(those), len(those))
    seen = CoverageFigures(graded["whole"], graded["partial"])
    return AnatomyFigures(cohort, given, len(results), mean, organs, seen)


def _organ(all_of_it: Sequence[Overlap]) -> OrganFigures | None:
    there = [one for one in all_of_it if one.true_ml >= SEEN_ML]
    absent = [one for one in all_of_it if one.true_ml == 0.0]
    if not there:
        return None
    dice = np.array([one.dice for one in there])
    error = np.array([one.found_ml / one.true_ml - 1.0 for one in there])
    low, high = np.quantile(error, [0.1, 0.9])
    return OrganFigures(
        patients=len(there),
        dice=float(np.median(dice)),
        dice_low=float(np.quantile(dice, 0.1)),
        missed=float(np.mean(dice < MISSED_DICE)),
        volume_error=float(np.median(error)),
        volume_spread=(float(low), float(high)),
        invented=float(np.mean([one.found_ml >= SEEN_ML for one in absent])) if absent else None,
    )


def table_of(figures: AnatomyFigures) -> str:
    """Markdown: a row for each organ, and a sentence on the field of view."""
    lines = [
        f"### {figures.cohort}, {figures.given}, {figures.patients} patients",
        "",
        f"Mean of the organs' median Dice: {figures.mean_dice:.2f}.",
        "",
        "| organ | patients | Dice, median | Dice, 10 % quantile | not found | volume error, median (10 to 90 %) "
        "| found though absent |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in figures.organs.items():
        low, high = one.volume_spread
        invented = "" if one.invented is None else f"{one.invented:.0%}"
        error = f"{one.volume_error:+.0%} ({low:+.0%} to {high:+.0%})"
        dice = f"{one.dice:.2f} | {one.dice_low:.2f}"
        lines.append(
            f"| {name.replace('_', ' ')} | {one.patients} | {dice} | {one.missed:.0%} | {error} | {invented} |"
        )
    whole, partial = figures.coverage.whole, figures.coverage.partial
    said = f"The field of view is graded as with the true organs in {whole[0]} of {whole[1]} whole-body scans"
    lines += ["", f"{said} and in {partial[0]} of {partial[1]} partial ones.", ""]
    return "\n".join(lines)
