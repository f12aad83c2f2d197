"""The rotating projection: what is where in each view, a valid cine loop, and nobody's name."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from lymphoma.imaging import Volume
from nodal.report.colours import lesion_colour
from nodal.report.inputs import ReportInputs, Target
from nodal.report.rotating_mip import FRAMES, orientation_letters, rotating_mip
from nodal.report.turning import View, turning_views
from nodal.settings import Profile
from pydicom import Dataset, dcmread

from tests.unit.report.sample import sample_inputs, with_findings
from tests.unit.report.test_validators import errors

pytestmark = pytest.mark.unit

ASKED = Target(Profile(rotating_mip=True), "measurements")
made = cache(sample_inputs)


@cache
def image(lesions: int = 3, virtual: bool = False) -> Dataset:
    result = rotating_mip(made(lesions, virtual=virtual), ASKED)
    assert result is not None
    return dcmread(io.BytesIO(result.data))


def four_views(orientation: np.ndarray | None = None) -> dict[float, View]:
    """A cylinder with a lesion at the left side (1), one at the right (2) of it, and one in front, higher up (3)."""
    shape = (40, 41, 41)
    k, j, i = np.indices(shape)
    suv = np.where((j - 20) ** 2 + (i - 20) ** 2 <= 15**2, 1.0, 0.0).astype(np.float32)
    labels = np.zeros(shape, dtype=np.uint16)
    # LPS: i grows to the left, j to the back, k to the head.
    for number, (kk, jj, ii) in enumerate([(10, 20, 32), (10, 20, 8), (30, 8, 20)], start=1):
        ball = (k - kk) ** 2 + (j - jj) ** 2 + (i - ii) ** 2 <= 4
        labels[ball] = number
        suv[ball] = 9.0
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    if orientation is not None:
        suv, labels = (np.ascontiguousarray(one[orientation]) for one in (suv, labels))
        affine = np.diag([-4.0, -4.0, 4.0, 1.0])
        affine[:3, 3] = [160.0, 160.0, 0.0]
    return {view.angle_deg: view for view in turning_views(Volume(suv, affine), Volume(labels, affine), 4, 2.0)}


def column_of(view: View, number: int) -> float:
    """-1 at the left edge of the picture, 1 at the right."""
    columns = np.nonzero(view.labels == number)[1]
    assert columns.size, f"lesion {number} is not seen"
    return float((columns.mean() + 0.5) / view.labels.shape[1] * 2 - 1)


@pytest.mark.parametrize("turned", [False, True], ids=["as scanned", "rows and columns turned round"])
def test_each_view_shows_the_body_from_where_it_says(turned: bool) -> None:
    views = four_views(np.s_[:, ::-1, ::-1] if turned else None)  # type: ignore[arg-type]
    assert sorted(views) == [0.0, 90.0, 180.0, 270.0]
    front, left, back, right = (views[angle] for angle in (0.0, 90.0, 180.0, 270.0))
    assert column_of(front, 1) > 0.3
    assert column_of(front, 2) < -0.3
    assert column_of(back, 1) < -0.3
    assert column_of(back, 2) > 0.3
    # From the patient's left the front is on the left of the picture; from the right, on the right.
    assert column_of(left, 3) < -0.3
    assert column_of(right, 3) > 0.3
    # Of two behind one another the nearer is seen.
    assert 1 in left.labels
    assert 2 not in left.labels
    assert 2 in right.labels
    assert 1 not in right.labels
    # Head up: lesion 3 lies 80 mm above the others.
    rows = [float(np.nonzero(front.labels == number)[0].mean()) for number in (1, 3)]
    assert (rows[0] - rows[1]) * 2.0 == pytest.approx(80.0, abs=2.0)


def test_uptake_is_as_dark_from_everywhere() -> None:
    for view in four_views().values():
        assert view.grey.min() == 0  # SUV 9 is beyond the window of 7
        assert np.median(view.grey[:, view.grey.shape[1] // 2]) == pytest.approx(255 * (1 - 1 / 7), abs=1)
        assert view.grey[0, 0] == 255


@pytest.mark.parametrize(
    ("angle_deg", "letters"),
    [(0, "L"), (20, "L"), (30, "LP"), (45, "LP"), (60, "PL"), (80, "P"), (180, "R"), (210, "RA"), (330, "LA")],
)
def test_letters_name_the_side(angle_deg: float, letters: str) -> None:
    angle = np.deg2rad(angle_deg)
    found = orientation_letters((float(np.cos(angle)), float(np.sin(angle))))
    assert sorted(found) == sorted(letters)
    assert angle_deg == 45 or found == letters


def test_it_plays_as_a_loop_of_four_seconds() -> None:
    dataset = image()
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7.4"
    assert dataset.NumberOfFrames == FRAMES == 36
    assert dataset.FrameIncrementPointer == 0x00181063
    assert float(dataset.FrameTime) * 36 == pytest.approx(4000, abs=1)
    assert dataset.PreferredPlaybackSequencing == 0
    assert dataset.BurnedInAnnotation == "NO"
    assert dataset.pixel_array.shape[0] == 36


@pytest.mark.parametrize(("lesions", "virtual"), [(0, False), (3, True), (60, False)])
def test_dciodvfy_finds_no_error(lesions: int, virtual: bool, tmp_path: Path) -> None:
    result = rotating_mip(made(lesions, virtual=virtual), ASKED)
    assert result is not None
    path = tmp_path / "rotation.dcm"
    path.write_bytes(result.data)
    assert errors(path) == set()


def near(pixels: np.ndarray, number: int) -> int:
    distance = np.abs(pixels.astype(int) - np.array(lesion_colour(number))).max(axis=-1)
    return int((distance <= 2).sum())


def test_lesions_have_their_colours_and_unconfirmed_ones_no_fill() -> None:
    inputs = made(3)
    # One may hide behind another for some of the turn.
    seen = {one.number: [near(frame, one.number) for frame in image().pixel_array] for one in inputs.findings.lesions}
    assert all(sum(count > 10 for count in counts) > FRAMES / 2 for counts in seen.values())
    doubtful = replace(inputs.findings.lesions[0], status="to_confirm")
    changed = rotating_mip(with_findings(inputs, lesions=(doubtful, *inputs.findings.lesions[1:])), ASKED)
    assert changed is not None
    body = dcmread(io.BytesIO(changed.data)).pixel_array
    best = int(np.argmax(seen[1]))
    assert near(body[best], 1) > 10  # its rim
    assert coloured(body[best]) < coloured(image().pixel_array[best])


def coloured(frame: np.ndarray) -> int:
    """Pixels of any colour below the text."""
    return int((np.ptp(frame[110:-20].astype(int), axis=-1) > 20).sum())


def test_nobody_is_named_on_the_frames() -> None:
    other = sample_inputs(
        3, PatientName="Somebody^Else", PatientID="X-99", AccessionNumber="A1", PatientBirthDate="19010101"
    )
    result = rotating_mip(other, ASKED)
    assert result is not None
    assert np.array_equal(dcmread(io.BytesIO(result.data)).pixel_array, image().pixel_array)


def test_a_virtual_patient_is_marked_on_each_frame_and_in_the_header() -> None:
    dataset, person = image(virtual=True), image()
    band = dataset.pixel_array[:, 2, :, :]
    assert (band.max(axis=(1, 2)) < 80).all()
    assert (person.pixel_array[:, 2, :, :] == 255).all()
    assert dataset.SeriesDescription == "Rotation, simulated"
    assert dataset.QualityControlSubject == "YES"


def test_marks_take_their_lines() -> None:
    inputs: ReportInputs = sample_inputs(3, partial=True)
    result = rotating_mip(inputs, ASKED)
    assert result is not None
    dataset = dcmread(io.BytesIO(result.data))
    assert dataset.Rows > image().Rows  # "Limited field of view, not whole-body TMTV"
    assert "limited field of view" in dataset.SeriesDescription


def test_it_is_made_where_asked() -> None:
    assert rotating_mip(made(1), Target(Profile(), "measurements")) is None


def test_same_input_same_bytes() -> None:
    assert rotating_mip(sample_inputs(2), ASKED) == rotating_mip(sample_inputs(2), ASKED)
