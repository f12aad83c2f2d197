"""Pictures of virtual patients for the docs: MIP, fused slices and lesion map, a patient a row.

python -m tests.acceptance.pictures
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from lymphoma.simulation import HOSPITAL, build_patient, draw_patient
from lymphoma.simulation.cohort import case_of, subject_of
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.training.case import Case
from matplotlib.axes import Axes

from tests.conftest import ROOT
from tests.generator_b import build

__all__ = ["draw_cases"]

Image = npt.NDArray[np.floating]
_SUV_TOP, _FUSED_TOP = 10.0, 12.0
_HU_LOW, _HU_HIGH = -160.0, 240.0
WIDE_MM, TALL_MM = 520.0, 1130.0
SEEDS_A, SEEDS_B = (12, 13, 33), (201, 202, 205)
_COLOURS = mpl.colormaps["tab20"]


def draw_cases(cases: Sequence[Case], titles: Sequence[str], path: Path) -> None:
    """Draws every case as a row of five views and writes a PNG.

    Args:
        cases: PET and CT on one axial grid, slices from the feet to the head, with a lesion map.
        titles: one line each, printed above its row.
    """
    columns = ("MIP, SUV 0 to 10", "lesions on the MIP", "MIP from the left", "fused, coronal", "fused, axial")
    figure, axes = plt.subplots(
        len(cases), 5, figsize=(15, 6.9 * len(cases)), width_ratios=(1, 1, 1, 1, 1), squeeze=False, facecolor="white"
    )
    for row, case, title in zip(axes, cases, titles, strict=True):
        for axis, draw, column in zip(row, (_mip, _mapped, _side, _coronal, _axial), columns, strict=True):
            draw(axis, case)
            axis.set_axis_off()
            axis.set_title(column, fontsize=10)
            axis.set_ylim(-TALL_MM / 2, TALL_MM / 2)
            axis.set_aspect("equal")
        row[0].text(0.0, 1.07, title, transform=row[0].transAxes, fontsize=12, weight="bold")
    figure.subplots_adjust(left=0.01, right=0.99, top=0.95, bottom=0.01, wspace=0.02, hspace=0.12)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=60)
    plt.close(figure)


def _show(axis: Axes, image: Image, across_mm: float, up_mm: float, **how: object) -> None:
    """The image in mm about its middle, so that all views of a row share one scale."""
    rows, columns = image.shape[:2]
    half_across, half_up = columns * across_mm / 2, rows * up_mm / 2
    how = {"origin": "lower", "interpolation": "bilinear", **how}
    axis.imshow(image, extent=(-half_across, half_across, -half_up, half_up), **how)
    axis.set_xlim(-WIDE_MM / 2, WIDE_MM / 2)


def _mip(axis: Axes, case: Case) -> None:
    x, _, z = case.suv.spacing_mm
    _show(axis, case.suv.array.max(axis=1), x, z, cmap="gray_r", vmin=0, vmax=_SUV_TOP)


def _side(axis: Axes, case: Case) -> None:
    _, y, z = case.suv.spacing_mm
    _show(axis, case.suv.array.max(axis=2), y, z, cmap="gray_r", vmin=0, vmax=_SUV_TOP)


def _mapped(axis: Axes, case: Case) -> None:
    x, _, z = case.suv.spacing_mm
    grey = 1 - np.clip(case.suv.array.max(axis=1) / _SUV_TOP, 0, 1)
    picture = np.repeat(grey[..., None], 3, axis=2) * 0.35 + 0.65
    if case.lesions is not None:
        labels = case.lesions.array.max(axis=1)
        picture[labels > 0] = _COLOURS((labels[labels > 0] - 1) % 20)[:, :3]
    _show(axis, picture, x, z, interpolation="nearest")


def _place(case: Case) -> tuple[int, int]:
    """Slice and row through the middle of the largest lesion, else the middle of the body."""
    if case.lesions is None or not case.lesions.array.any():
        return case.suv.array.shape[0] // 2, case.suv.array.shape[1] // 2
    sizes = np.bincount(case.lesions.array.ravel())
    sizes[0] = 0
    k, j, _ = np.argwhere(case.lesions.array == sizes.argmax()).mean(axis=0)
    return int(k), int(j)


def _fused(axis: Axes, hu: Image, suv: Image, across_mm: float, up_mm: float, *, upside_down: bool = False) -> None:
    grey = np.clip((hu - _HU_LOW) / (_HU_HIGH - _HU_LOW), 0, 1)[..., None]
    heat = np.clip(suv / _FUSED_TOP, 0, 1)
    weight = np.clip(heat * 2.2, 0, 0.85)[..., None]
    picture = grey * (1 - weight) + mpl.colormaps["hot"](heat)[..., :3] * weight
    _show(axis, picture[::-1] if upside_down else picture, across_mm, up_mm)


def _coronal(axis: Axes, case: Case) -> None:
    x, _, z = case.suv.spacing_mm
    _, j = _place(case)
    _fused(axis, case.ct_hu.array[:, j], case.suv.array[:, j], x, z)


def _axial(axis: Axes, case: Case) -> None:
    x, y, _ = case.suv.spacing_mm
    k, _ = _place(case)
    _fused(axis, case.ct_hu.array[k], case.suv.array[k], x, y, upside_down=True)


def main() -> None:
    """Draws the patients of the docs."""
    images = ROOT / "docs" / "images"
    plans = [draw_patient(seed, variety=HOSPITAL) for seed in SEEDS_A]
    ours = [case_of(build_patient(plan, TRAINING_GRID), subject_of(plan)) for plan in plans]
    draw_cases(ours, [f"Generator A, seed {plan.seed}" for plan in plans], images / "generator-a.png")
    others = [build(seed).case() for seed in SEEDS_B]
    draw_cases(others, [f"Generator B, seed {seed}" for seed in SEEDS_B], images / "generator-b.png")


if __name__ == "__main__":
    main()
