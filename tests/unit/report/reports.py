"""Finished reports of many kinds of patient, and their text as it stands on the sheets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from nodal.findings import Flag
from nodal.outlook import NomogramAxis, NomogramPoints
from nodal.report.inputs import ReportInputs, Target
from nodal.report.pdf import render_pdf
from nodal.settings import Profile

from tests.unit.report.judged import conflicts, judged, unusable
from tests.unit.report.paper import Letter, letters
from tests.unit.report.reviewed import out_of_range, reviewed
from tests.unit.report.sample import sample_inputs, with_findings

TARGET = Target(Profile(), "simulation_trained")
made = cache(sample_inputs)
OPEN = ("stage", "ldh_ratio", "ecog")
LONG = "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh "


def long_name() -> ReportInputs:
    return judged(
        made(60, PatientName=f"{LONG * 2}^Adolphus {'Wilhelmina ' * 3}", PatientID="X" * 64, AccessionNumber="9" * 16),
        missing=OPEN,
    )


def many_conflicts() -> ReportInputs:
    inputs = judged(made(8))
    record = replace(inputs.findings.clinical, conflicts=conflicts(12), unusable=unusable(5))
    record = replace(record, extranodal_sites=("bone_marrow", "bone", "cns", "liver", "stomach", "bowel", "lung"))
    flags = tuple(
        Flag("SOME", f"{n}: a doubt about the scan that takes more than one line to say in full") for n in range(6)
    )
    return with_findings(inputs, clinical=record, quality=replace(inputs.findings.quality, flags=flags))


def weak_covariate() -> ReportInputs:
    """A long name, an axis of less than a point with five grades, and a value far beyond its axis."""
    inputs = judged(made(8))
    drawn = inputs.findings.nomograms["mtdlr"]["pfs"]
    long = NomogramAxis("age_years", "Distance from the largest lesion to the farthest, mm", drawn.axes[0].ticks)
    weak = NomogramAxis("ecog", "ECOG performance status", tuple((f"{n}", 0.2 * n) for n in range(5)))
    axes = (long, *drawn.axes[1:3], weak, *drawn.axes[4:])
    points = (NomogramPoints("age_years", "2500", 140.0), *drawn.points[1:])
    changed = replace(drawn, axes=axes, points=points, outside=("age_years",))
    return with_findings(inputs, nomograms={"mtdlr": {"pfs": changed, "os": changed}})


CASES: dict[str, Callable[[], ReportInputs]] = {
    "complete": lambda: judged(made(8)),
    "three unknown": lambda: judged(made(8), missing=OPEN),
    "no lesion": lambda: judged(made(0)),
    "sixty lesions": lambda: judged(made(60)),
    "E0 withheld": lambda: judged(made(8), "E0", withheld=True),
    "E0 shown": lambda: judged(made(8), "E0"),
    "virtual": lambda: judged(made(8, virtual=True), "E0"),
    "E2": lambda: judged(made(8), "E2"),
    "partial": lambda: judged(made(3, partial=True)),
    "long name": long_name,
    "many conflicts": many_conflicts,
    "weak covariate": weak_covariate,
    "no prognosis": lambda: made(8),
    "reviewed": lambda: reviewed(judged(made(8))),
    "reviewed, sixty lesions": lambda: reviewed(judged(made(60)), unconfirmed=9, rejected=40),
    "reviewed, none accepted": lambda: reviewed(judged(made(2)), unconfirmed=2),
    "reviewed, long name": lambda: reviewed(long_name(), unconfirmed=20, rejected=12),
    "out of range": lambda: out_of_range(made(8)),
}


@cache
def pages_of(name: str) -> list[str]:
    """The text of each page, one space between words, of what stands upright."""
    return [joined([one for one in page if not one.tilted]) for page in drawn(name)]


@cache
def drawn(name: str) -> list[list[Letter]]:
    return letters(render_pdf(CASES[name](), TARGET))


def joined(page: list[Letter]) -> str:
    """Letters with a space wherever there is a gap or a new line."""
    text = ""
    before = None
    for one in page:
        if before is not None and (
            one.start - before.end > 0.6 or one.start < before.start or one.top < before.bottom - 3
        ):
            text += " "
        text += one.text
        before = one
    return text


def text_of(name: str) -> str:
    return " ".join(pages_of(name))
