"""The rotating projection: the body turned once about its long axis, as a Multi-frame True Color Secondary Capture.

Viewers play it as a cine loop. Nothing on the frames names the patient (Burned In Annotation NO).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nodal.findings import Findings
from nodal.report.capture import add_pixels, source_images
from nodal.report.colours import lesion_colour
from nodal.report.encapsulated import MULTI_FRAME_TRUE_COLOUR
from nodal.report.identity import finish, start_object
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.lesion_words import TO_CONFIRM, unconfirmed
from nodal.report.marks import VIRTUAL_TITLE, marks
from nodal.report.mip import SUV_WINDOW
from nodal.report.pdf_sheet import CAUTION, HAIR, INK, MUTED, PAPER, Document
from nodal.report.pdf_words import amount, rule
from nodal.report.provenance import series_title
from nodal.report.raster import rgb_pages
from nodal.report.turning import View, turning_views
from nodal.report.verified import verification_flag

__all__ = ["FRAMES", "SERIES_NUMBER", "orientation_letters", "rotating_mip"]

SERIES_NUMBER = 9906
FRAMES = 36
TURN_MS = 4000.0
"""For one turn of the body: slow enough to follow a lesion, fast enough for the eye to see depth."""

_PIXEL_MM = 2.0
"""Half a PET voxel or less; 36 frames in colour stay near 20 MB."""
_GUTTER = 26
"""Pixels beside the body, for the letters."""
_LEAST_WIDTH = 360
_TEXT = 9.0
_LETTERS = 15.0
_SECOND_LETTER = float(np.sin(np.deg2rad(22.5)))
_FILL, _FILL_DOUBTFUL = 0.72, 0.0
_FRAME_TIME = 0x00181063
_Rgb = npt.NDArray[np.uint8]


def rotating_mip(inputs: ReportInputs, target: Target) -> ResultObject | None:
    """The rotating projection (PS3.3 A.8.5), lesions in their colours; None where the target takes none.

    A lesion that is to be confirmed is outlined, not filled. Where two lie behind one another, the one in front is
    seen.
    """
    if not target.profile.rotating_mip:
        return None
    dataset = start_object(
        inputs,
        target,
        kind="rotating_mip",
        sop_class_uid=MULTI_FRAME_TRUE_COLOUR,
        modality="OT",
        series_number=SERIES_NUMBER,
        series_description=series_title("Rotation", inputs.findings),
    )
    frames = _frames(inputs)
    add_pixels(dataset, frames, names_patient=False)
    dataset.NumberOfFrames = len(frames)
    dataset.FrameIncrementPointer = _FRAME_TIME
    dataset.FrameTime = f"{TURN_MS / len(frames):.6g}"
    rate = round(1000.0 * len(frames) / TURN_MS)
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = rate
    dataset.PreferredPlaybackSequencing = 0  # looping
    dataset.DerivationDescription = "Maximum intensity projections of the PET around the long axis, lesions coloured"
    dataset.SourceImageSequence = source_images(inputs.pet_headers)
    return finish(dataset, "rotating_mip")


def orientation_letters(toward: tuple[float, float]) -> str:
    """The letters of a direction in the axial plane, the stronger first (PS3.3 C.7.6.1.1.1): "R", "RA", "AR", ...

    Args:
        toward: (to the patient's left, to the back), of length 1. A second letter stands from 22.5 degrees on.
    """
    left, back = toward
    parts = sorted(((abs(left), "L" if left > 0 else "R"), (abs(back), "P" if back > 0 else "A")), reverse=True)
    return "".join(letter for size, letter in parts if size >= _SECOND_LETTER)


def _frames(inputs: ReportInputs) -> _Rgb:
    """All frames, shape (frames, rows, columns, 3)."""
    findings = inputs.findings
    views = turning_views(inputs.suv, inputs.lesion_map, FRAMES, _PIXEL_MM)
    rows, columns = views[0].grey.shape
    doubtful = frozenset(lesion.number for lesion in unconfirmed(findings))
    sheet, top = _surround(findings, rows, columns, doubtful=bool(doubtful))
    left = (sheet.shape[1] - columns) // 2
    sides = [(orientation_letters((-x, -y)), orientation_letters((x, y))) for x, y in (view.right_xy for view in views)]
    letters = _letter_pictures(sorted({one for pair in sides for one in pair}))
    frames = np.repeat(sheet[None], len(views), axis=0)
    for frame, view, (on_left, on_right) in zip(frames, views, sides, strict=True):
        frame[top : top + rows, left : left + columns] = _coloured(view, doubtful)
        for letter, edge in ((letters[on_left], left - _GUTTER), (letters[on_right], left + columns)):
            row = top + rows // 2 - letter.shape[0] // 2
            frame[row : row + letter.shape[0], edge : edge + _GUTTER] = letter
    return frames


def _coloured(view: View, doubtful: frozenset[int]) -> _Rgb:
    """A view in colour: what a lesion covers takes its colour, its rim the more."""
    labels = view.labels
    rim = np.zeros(labels.shape, dtype=np.bool_)
    for axis in (0, 1):
        for step in (-1, 1):
            rim |= labels != np.roll(labels, step, axis=axis)
    picture = np.repeat(view.grey[..., None], 3, axis=-1)
    covered = labels > 0
    numbers, which = np.unique(labels[covered], return_inverse=True)
    colours = np.array([lesion_colour(number) for number in numbers.tolist()], dtype=np.float32).reshape(-1, 3)
    fills = np.array([_FILL_DOUBTFUL if number in doubtful else _FILL for number in numbers.tolist()])
    share = np.where(rim[covered], 1.0, fills[which])[:, None]
    picture[covered] = np.rint(share * colours[which] + (1 - share) * picture[covered])
    return picture


def _surround(findings: Findings, rows: int, columns: int, *, doubtful: bool) -> tuple[_Rgb, int]:
    """What is the same on each frame, with white in place of the body; and the row where that begins."""
    width = max(_LEAST_WIDTH, columns + 2 * _GUTTER)
    trial = Document((width, 1000.0), "FDG PET projections")
    top = int(np.ceil(_head(trial, findings, width)))
    foot = 18
    sheet = Document((width, top + rows + foot), "FDG PET projections")
    _head(sheet, findings, width)
    _foot(sheet, findings, width, top + rows + foot - 5, doubtful=doubtful)
    (page,) = rgb_pages(sheet.save(), 1.0)
    return page, top


def _head(sheet: Document, findings: Findings, width: float) -> float:
    """Totals, rule and marks; returns where the body begins."""
    inner, margin, y = width - 16, 8.0, 4.0
    if findings.virtual:
        sheet.box(0, 0, width, 17, fill=INK)
        sheet.text(width / 2, 12, VIRTUAL_TITLE, _TEXT + 0.5, bold=True, colour=PAPER, align="centre", max_width=inner)
        y += 17
    totals = findings.totals
    volume = "TMTV" if totals.field_of_view == "whole" else "Volume"
    count = f"{totals.lesion_count} lesion{'' if totals.lesion_count == 1 else 's'}"
    none = "No accepted lesion" if findings.lesions else "No FDG-avid lesion"
    line = f"{volume} {amount(totals.tmtv_ml, 'mL')}   {count}" if totals.lesion_count else none
    sheet.text(margin, y + 11, line, _TEXT + 3, bold=True, max_width=inner)
    y = sheet.paragraph(margin, y + 24, rule(findings.segmentation), _TEXT, inner, colour=MUTED, leading=1.25)
    for mark in (mark for mark in marks(findings) if mark != VIRTUAL_TITLE):
        y = sheet.paragraph(margin, y, mark, _TEXT, inner, bold=True, colour=CAUTION, leading=1.25)
    return y - 4


def _foot(sheet: Document, findings: Findings, width: float, y: float, *, doubtful: bool) -> None:
    """What grey and an empty outline mean, and whether anybody has verified it; baseline at y."""
    low, high = SUV_WINDOW
    at = 8 + sheet.text(8, y, f"SUV {low:.0f} ", _TEXT, colour=MUTED)
    sheet.picture(np.tile(np.linspace(255, 0, 64, dtype=np.uint8), (2, 1)), at, y - 7, 40, 7)
    sheet.box(at, y - 7, 40, 7, stroke=HAIR, line=0.4)
    note = f" {high:.0f}+" + (f"  outline only: {TO_CONFIRM}" if doubtful else "")
    sheet.text(at + 40, y, note, _TEXT, colour=MUTED)
    sheet.text(width - 8, y, verification_flag(findings), _TEXT, bold=True, colour=MUTED, align="right")


def _letter_pictures(letters: Sequence[str]) -> dict[str, _Rgb]:
    """Each pair of letters as a small picture, as wide as the gutter."""
    sheet = Document((_GUTTER, 22.0), "Orientation")
    for place, text in enumerate(letters):
        if place:
            sheet.new_sheet()
        sheet.text(_GUTTER / 2, 16.5, text, _LETTERS if len(text) == 1 else 0.8 * _LETTERS, bold=True, align="centre")
    return dict(zip(letters, rgb_pages(sheet.save(), 1.0), strict=True))
