"""Real scans through the whole pipeline, against a computation of this test's own.

The scans: soft-tissue sarcoma PET/CT of the IBSI validation set (after TCIA Soft-tissue-Sarcoma), cropped around the
tumour. The contours are not PET-defined; agreement of a threshold with them is reported, never asserted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
from nodal.findings import Findings
from nodal.jobs.process import process_folder
from nodal.settings import Settings
from pydicom import dcmread

from tests.validators import dsrdump, new_errors

pytestmark = pytest.mark.e2e

CASES = ("STS_001", "STS_002", "STS_004")
TOLERANCE = 0.005
"""Totals agree within 0.5 %: both count the same voxels; only rounding of the stored values may differ."""


def own_suv(folder: Path) -> tuple[npt.NDArray[np.float64], list[Any], float]:
    """SUV (k, j, i), headers from foot to head and the voxel volume in mL, by the plainest means (GML is SUV)."""
    slices = sorted((dcmread(path) for path in folder.glob("*.dcm")), key=lambda d: float(d.ImagePositionPatient[2]))
    values = np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in slices])
    gap = float(slices[1].ImagePositionPatient[2]) - float(slices[0].ImagePositionPatient[2])
    return values, slices, gap * float(slices[0].PixelSpacing[0]) * float(slices[0].PixelSpacing[1]) / 1000.0


def own_contour(path: Path, slices: list[Any]) -> npt.NDArray[np.bool_]:
    """Voxels whose centre lies inside an odd number of closed contours (crossing number), slice by slice."""
    mask = np.zeros((len(slices), slices[0].Rows, slices[0].Columns), bool)
    heights = np.array([float(d.ImagePositionPatient[2]) for d in slices])
    x0, y0, _ = (float(v) for v in slices[0].ImagePositionPatient)
    row_mm, column_mm = (float(v) for v in slices[0].PixelSpacing)
    x = x0 + column_mm * np.arange(slices[0].Columns)
    for roi in dcmread(path).ROIContourSequence:
        for contour in roi.ContourSequence:
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            k = int(np.argmin(np.abs(heights - points[0, 2])))
            for j in range(slices[0].Rows):
                y = y0 + row_mm * j
                a, b = points, np.roll(points, -1, axis=0)
                crosses = (a[:, 1] > y) != (b[:, 1] > y)
                at = a[crosses, 0] + (y - a[crosses, 1]) * (b[crosses, 0] - a[crosses, 0]) / (
                    b[crosses, 1] - a[crosses, 1]
                )
                mask[k, j] ^= (x[None, :] < at[:, None]).sum(axis=0) % 2 == 1
    return mask


def own_totals(
    suv: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_], ml: float, least_ml: float
) -> dict[str, float]:
    """Totals over 26-connected components of at least a volume."""
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True))
    sizes = np.bincount(labels.ravel())[1:] * ml
    kept = np.isin(labels, 1 + np.flatnonzero(sizes >= least_ml)) & mask
    count = int((sizes >= least_ml).sum())
    return {
        "lesion_count": count,
        "tmtv_ml": float(kept.sum() * ml),
        "tlg_g": float(suv[kept].sum() * ml),
        "suv_max": float(suv[kept].max()) if count else 0.0,
    }


def assert_agree(findings: Findings, expected: dict[str, float]) -> None:
    assert findings.totals.lesion_count == expected["lesion_count"]
    for name in ("tmtv_ml", "tlg_g", "suv_max"):
        got = getattr(findings.totals, name) or 0.0
        assert got == pytest.approx(expected[name], rel=TOLERANCE), name


def assert_valid(out: Path, source: Path, *, avid: bool) -> None:
    names = ["sr.dcm", "report.dcm", "summary.dcm", *(["seg.dcm"] if avid else [])]
    assert (out / "seg.dcm").exists() == avid
    for name in names:
        own, inherited = new_errors(out / name, source)
        assert own == [], name
        print(f"{name}: 0 errors of its own, {len(inherited)} that the source has too {inherited}")
    assert dsrdump(out / "sr.dcm")
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("case", CASES)
def test_by_threshold(case: str, real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "sts" / case
    suv, _, ml = own_suv(folder / "PET/image")
    findings = process_folder(folder, tmp_path, Settings())
    expected = own_totals(suv, suv >= 4.0, ml, 3.0)
    assert_agree(findings, expected)
    assert_valid(tmp_path, folder / "PET/image/000000.dcm", avid=case != "STS_004")
    assert (findings.totals.field_of_view, findings.baseline) == ("partial", "assumed")
    assert any(flag.code == "PET_DERIVED" for flag in findings.quality.flags)
    passed_over = {decision.modality: decision.reason for decision in findings.series if decision.used_as is None}
    assert "RTSTRUCT" in passed_over
    if case == "STS_004":
        assert findings.lesions == ()
    written = json.loads((tmp_path / "findings.json").read_text())
    print(case, {name: written["totals"][name] for name in ("lesion_count", "tmtv_ml", "tlg_g", "suv_max")})


@pytest.mark.parametrize("case", CASES)
def test_by_the_given_contour(case: str, real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "sts" / case
    suv, slices, ml = own_suv(folder / "PET/image")
    contour = folder / "PET/mask/RS.dcm"
    findings = process_folder(folder, tmp_path, Settings(), reference=contour)
    mask = own_contour(contour, slices)
    assert_agree(findings, own_totals(suv, mask, ml, 0.0))
    assert_valid(tmp_path, folder / "PET/image/000000.dcm", avid=True)
    assert findings.segmentation.method == "reference"
    threshold = suv >= 4.0
    overlap = 2 * (threshold & mask).sum() / (threshold.sum() + mask.sum())
    print(f"{case}: TMTV {findings.totals.tmtv_ml:.1f} mL in the contour; Dice of plain SUV>=4 with it {overlap:.2f}")


def test_the_same_input_twice_gives_the_same_bytes(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "sts/STS_001"
    for name in ("once", "again"):
        process_folder(folder, tmp_path / name, Settings())
    for name in ("seg.dcm", "sr.dcm", "report.dcm", "report.pdf", "summary.dcm"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name
