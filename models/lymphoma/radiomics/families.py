"""PyRadiomics' families of features on one image, and its features of the shape.

The families are PyRadiomics' own classes. Two steps of its co-occurrence family take time with the third power of the
number of grey levels, and are done here by matrix products and sums by index; the tests hold both to the library.
A fault inside the library, which it would turn into "not a number", is raised instead.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from radiomics import firstorder, glcm, glrlm, glszm, ngtdm, shape

from lymphoma.errors import NotComputable
from lymphoma.radiomics.layout import Layout
from lymphoma.radiomics.names import FAMILIES, SHAPE

__all__ = ["TOO_SMALL", "image_features", "shape_features"]

Floats = npt.NDArray[np.float64]
TOO_SMALL = "REGION_TOO_SMALL"
"""Code of a region that has no features."""


def _silent() -> logging.Logger:
    """For the library's remarks, which are about which features are alike, and come with every image."""
    found = logging.Logger("lymphoma.radiomics", logging.CRITICAL)
    found.addHandler(logging.NullHandler())
    return found


class _CoOccurrence(glcm.RadiomicsGLCM):  # type: ignore[misc]
    """The library's family, faster with many grey levels."""

    def _calculateCoefficients(self) -> None:  # noqa: N802 - the library's name
        """As the library's; only the two sums along diagonals are made in another way."""
        levels = self.coefficients["grayLevels"].astype(np.float64)
        count = self.coefficients["Ng"]
        p, eps = self.P_glcm, np.spacing(1)
        i, j = levels[:, None], levels[None, :]
        self.coefficients |= {
            "eps": eps,
            "i": i,
            "j": j,
            "kValuesSum": np.arange(2, 2 * count + 1, dtype=np.float64),
            "kValuesDiff": np.arange(0, count, dtype=np.float64),
            "px": p.sum(2, keepdims=True),
            "py": p.sum(1, keepdims=True),
            "ux": np.sum(i[None, :, :, None] * p, (1, 2), keepdims=True),
            "uy": np.sum(j[None, :, :, None] * p, (1, 2), keepdims=True),
            "pxAddy": _by_index(p, (i + j - 2).astype(np.int64), 2 * count - 1),
            "pxSuby": _by_index(p, np.abs(i - j).astype(np.int64), count),
            "HXY": -np.sum(p * np.log2(p + eps), (1, 2)),
        }

    def getMCCFeatureValue(self) -> Any:  # noqa: N802 - the library's name
        """The maximal correlation coefficient: Q(i, j) = sum_k p(i, k) p(j, k) / (px(i) py(k) + eps)."""
        p = np.moveaxis(self.P_glcm[0], -1, 0)
        if p.shape[1] < 2:
            return 1  # a flat region, as the library has it
        px, py = (np.moveaxis(self.coefficients[name][0], -1, 0) for name in ("px", "py"))
        q = (p / (px * py + self.coefficients["eps"])) @ p.transpose(0, 2, 1)
        eigenvalues = np.linalg.eigvals(q)
        eigenvalues.sort()
        return np.nanmean(np.sqrt(eigenvalues[:, -2])).real


_FAMILIES = {
    "firstorder": firstorder.RadiomicsFirstOrder,
    "glcm": _CoOccurrence,
    "glrlm": glrlm.RadiomicsGLRLM,
    "glszm": glszm.RadiomicsGLSZM,
    "ngtdm": ngtdm.RadiomicsNGTDM,
}


def image_features(
    layout: Layout, values: Floats, spacing_mm: tuple[float, float, float], bin_width: float, distance: int
) -> Floats:
    """The 80 features of one image inside a region, in the order of :func:`lymphoma.radiomics.names.family_names`.

    Args:
        values: (N,) of the voxels of ``layout``. spacing_mm: (x, y, z) of the grid. bin_width: in units of the values.

    Raises:
        NotComputable: ``REGION_TOO_SMALL`` where a family is not defined, as without two voxels that touch.
    """
    image, mask = _sitk(layout.image(values), spacing_mm), _sitk(layout.mask(), spacing_mm)
    settings = {"label": 1, "binWidth": bin_width, "distances": [distance]}
    found: list[float] = []
    with _quiet():
        for family, names in FAMILIES.items():
            try:
                calculator = _FAMILIES[family](image, mask, **settings)
                calculator.logger = _silent()
                calculator._initCalculation()
                found += [_number(calculator, name) for name in names]
            except (IndexError, ValueError, RuntimeError, ZeroDivisionError, np.linalg.LinAlgError) as fault:
                raise NotComputable(TOO_SMALL, f"{family} has no value for a region of {values.size} voxels") from fault
    return _finite(found, values.size)


def shape_features(region: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> Floats:
    """The 16 features of the shape, in the order of :func:`lymphoma.radiomics.names.shape_names`.

    Args:
        region: (slices, rows, columns), cropped to what it holds.

    Raises:
        NotComputable: ``REGION_TOO_SMALL``.
    """
    mask = _sitk(region.astype(np.uint8), spacing_mm)
    with _quiet():
        calculator = shape.RadiomicsShape(mask, mask, label=1)
        return _finite([_number(calculator, name) for name in SHAPE], int(region.sum()))


def _by_index(p: Floats, index: npt.NDArray[np.int64], size: int) -> Floats:
    """Sums of p (1, Ng, Ng, angles) over equal indices (Ng, Ng); shape (1, size, angles)."""
    flat = index.ravel()
    sums = [np.bincount(flat, weights=p[0, :, :, angle].ravel(), minlength=size) for angle in range(p.shape[3])]
    return np.stack(sums, axis=-1)[None].astype(np.float64)


def _number(calculator: Any, name: str) -> float:
    return float(np.squeeze(getattr(calculator, f"get{name}FeatureValue")()))


def _finite(found: list[float], voxels: int) -> Floats:
    values = np.array(found, dtype=np.float64)
    if not np.isfinite(values).all():
        raise NotComputable(
            TOO_SMALL, f"{int((~np.isfinite(values)).sum())} features are not defined on {voxels} voxels"
        )
    return values


def _sitk(array: npt.NDArray[Any], spacing_mm: tuple[float, float, float]) -> sitk.Image:
    made = sitk.GetImageFromArray(array)
    made.SetSpacing(spacing_mm)
    return made


@contextmanager
def _quiet() -> Iterator[None]:
    """The library divides by zero on its way to values that it then leaves out."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
