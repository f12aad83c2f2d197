"""CT to PET: a known motion is found, an aligned pair stays, a hopeless one is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
from lymphoma.imaging.registration import Registration, apply, register_ct
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.simulation import PLAIN, Protocol, build_patient, draw_patient

pytestmark = pytest.mark.unit

COARSE = Protocol((6.0, 6.0, 6.0), 84, (3.0, 3.0, 3.0), 170)
HALF_A_VOXEL_MM = 3.0


@pytest.fixture(scope="module")
def pair() -> tuple[Volume, Volume]:
    """PET and CT of one scanner without misregistration."""
    return scanned(700)


def scanned(seed: int) -> tuple[Volume, Volume]:
    patient = build_patient(draw_patient(seed, variety=PLAIN), COARSE)
    return patient.pet_suv, patient.ct_hu


def motion_of(shift_mm: tuple[float, ...], turns_deg: tuple[float, ...], centre_mm: npt.ArrayLike) -> sitk.Transform:
    motion = sitk.Euler3DTransform()
    motion.SetCenter(np.asarray(centre_mm, dtype=float).tolist())
    motion.SetRotation(*np.deg2rad(turns_deg).tolist())
    motion.SetTranslation(shift_mm)
    return motion


def displaced(volume: Volume, motion: sitk.Transform) -> Volume:
    """The same values elsewhere: only the header changes, so that no interpolation stands between."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(motion.GetMatrix()).reshape(3, 3)
    affine[:3, 3] = motion.TransformPoint((0.0, 0.0, 0.0))
    return Volume(volume.array, affine @ volume.affine)


def largest_error_mm(found: sitk.Transform, true: sitk.Transform, suv: Volume) -> float:
    """Over points of the body."""
    points = suv.points_mm(np.argwhere(suv.array > 0.5)[::997])
    return float(max(np.linalg.norm(np.subtract(found.TransformPoint(p), true.TransformPoint(p))) for p in points))


def test_a_known_motion_is_found_and_undone(pair: tuple[Volume, Volume]) -> None:
    suv, ct = pair
    true = motion_of((4.0, -3.0, -6.0), (1.5, -1.0, 2.0), suv.points_mm(np.array(suv.array.shape) / 2))
    moved = displaced(ct, true)
    found = register_ct(suv, moved)
    assert (found.verdict, found.applied) == ("moved", True)
    assert largest_error_mm(found.transform, true, suv) < HALF_A_VOXEL_MM
    assert found.rotation_deg == pytest.approx(2.7, abs=0.3)  # of the three turns together
    assert found.metric_after > 1.2 * found.metric_before
    straight = resample_like(ct, suv, fill=-1024.0, interpolation="linear").array
    before = resample_like(moved, suv, fill=-1024.0, interpolation="linear").array
    after = apply(moved, suv, found).array
    body = suv.array > 0.5
    assert np.abs(after - straight)[body].mean() < 0.35 * np.abs(before - straight)[body].mean()


def test_an_aligned_pair_is_not_touched(pair: tuple[Volume, Volume]) -> None:
    suv, ct = pair
    found = register_ct(suv, ct)
    assert (found.verdict, found.applied) == ("aligned", False)
    plain = resample_like(ct, suv, fill=-1024.0, interpolation="linear")
    np.testing.assert_array_equal(apply(ct, suv, found).array, plain.array)


def test_the_same_pair_gives_the_same_answer(pair: tuple[Volume, Volume]) -> None:
    suv, ct = pair
    moved = displaced(ct, motion_of((5.0, 0.0, 0.0), (0.0, 0.0, 0.0), np.zeros(3)))
    one, again = register_ct(suv, moved), register_ct(suv, moved)
    assert one.verdict == again.verdict == "moved"
    # ITK adds up in threads of its own: the last digits may differ, no voxel does
    np.testing.assert_allclose(one.parameters, again.parameters, atol=1e-6)


@pytest.mark.paper("dfr-registration")
def test_somebody_elses_ct_is_not_used(pair: tuple[Volume, Volume]) -> None:
    found = register_ct(pair[0], scanned(703)[1])
    assert (found.verdict, found.applied) == ("not_credible", False)


@pytest.mark.paper("dfr-registration")
@pytest.mark.parametrize("fault", ["air", "far away", "no body"])
def test_a_pair_without_anything_in_common_is_told(fault: str, pair: tuple[Volume, Volume]) -> None:
    suv, ct = pair
    if fault == "air":
        ct = ct.with_array(np.full_like(ct.array, -1000))
    elif fault == "far away":
        ct = displaced(ct, motion_of((5000.0, 0.0, 0.0), (0.0, 0.0, 0.0), np.zeros(3)))
    else:
        suv = suv.with_array(np.zeros_like(suv.array))
    found = register_ct(suv, ct)
    assert (found.verdict, found.applied) == ("not_credible", False)


def real_pair(folder: Path) -> tuple[Volume, Volume]:
    reader = sitk.ImageSeriesReader()
    volumes = []
    for part in ("PET", "CT"):
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder / part / "image")))
        volumes.append(Volume.from_sitk(sitk.Cast(reader.Execute(), sitk.sitkFloat32)))
    return volumes[0], volumes[1]


@pytest.mark.paper("dfr-registration")
@pytest.mark.parametrize("case", ["STS_001", "STS_004"])
def test_a_known_motion_of_a_real_ct_is_found(case: str, real_data: Path) -> None:
    """Against what is found of the pair as it came: the scans' own misalignment is not known."""
    suv, ct = real_pair(real_data / "sts" / case)
    middle = suv.points_mm((np.array(suv.array.shape) - 1) / 2)
    true = motion_of((5.0, -3.0, 3.0), (0.0, 0.0, 2.0), middle)
    own: Registration = register_ct(suv, ct)
    found = register_ct(suv, displaced(ct, true))
    expected = sitk.CompositeTransform([true, own.transform])
    assert found.verdict == "moved"
    assert largest_error_mm(found.transform, expected, suv) < 0.5 * float(suv.spacing_mm.max())
