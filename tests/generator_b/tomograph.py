"""The CT: Hounsfield units by tissue, bone, gas, vessels of the lung, artefacts, another breath, a couch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tests.generator_b.body import NAMES, Body, number_of
from tests.generator_b.disease import Disease
from tests.generator_b.geometry import Floats, field, stream
from tests.generator_b.priors import MARROW

__all__ = ["scan_ct"]

STREAM = 40
AIR_HU = -1000.0

PLAIN: tuple[tuple[tuple[str, ...], float], ...] = (
    (("subcutaneous_fat", "torso_fat"), -102.0),
    (("mediastinum",), -20.0),
    (("muscles", "iliopsoas_*", "autochthon_*", "gluteus_maximus_*"), 52.0),
    (("lung_*",), -810.0),
    (("trachea",), -985.0),
    (("brain",), 34.0),
    (("spinal_cord",), 30.0),
    (("liver",), 57.0),
    (("spleen",), 48.0),
    (("gallbladder", "urinary_bladder"), 8.0),
    (("kidney_*",), 33.0),
    (("stomach", "small_bowel", "duodenum", "colon"), 30.0),
    (("aorta", "inferior_vena_cava", "superior_vena_cava", "pulmonary_vein", "heart", "iliac_artery_*",
      "common_carotid_artery_*"), 42.0),
    (("thyroid_gland_*",), 95.0),
    (("parotid_gland_*",), 5.0),
    (("skull",), 750.0),
)  # fmt: skip

ENHANCED: tuple[tuple[tuple[str, ...], float], ...] = (
    (("aorta", "iliac_artery_*", "common_carotid_artery_*"), 145.0),
    (("inferior_vena_cava", "superior_vena_cava", "pulmonary_vein", "heart"), 130.0),
    (("kidney_*",), 170.0),
    (("liver",), 108.0),
    (("spleen",), 118.0),
    (("pancreas", "adrenal_gland_*"), 88.0),
)


def scan_ct(seed: int, body: Body, disease: Disease, metal: npt.NDArray[np.int64], enhanced: bool) -> Floats:
    """Hounsfield units on the patient's grid, float32.

    Args:
        metal: flat indices of a port's chamber. enhanced: portal venous phase.
    """
    rng = stream(seed, STREAM)
    labels = body.organs.array
    table = np.full(len(NAMES) + 1, 40.0, dtype=np.float32)
    table[0] = AIR_HU
    for names, value in (*PLAIN, *(ENHANCED if enhanced else ())):
        table[list(number_of(*names))] = value + rng.normal(0, 0.04 * abs(value) + 1)
    hu = table[labels]
    fine = rng.standard_normal(labels.shape, dtype=np.float32)
    _bones(hu, body, fine, rng)
    _gas(hu, body, rng)
    _lungs(hu, labels, fine)
    _septa(hu, body, rng)
    sick = disease.share > 0
    lump = 42.0 + (25.0 if enhanced else 0.0) + 6 * fine[sick]
    soft = hu[sick] < 200
    hu[sick] = np.where(soft, hu[sick] + disease.share[sick] * (lump - hu[sick]), hu[sick] - 60 * disease.share[sick])
    hu.reshape(-1)[metal] = 2400
    hu = _other_breath(hu, body, rng)
    hu = ndimage.gaussian_filter(hu, 1.1 / body.organs.spacing_mm[::-1], truncate=3.0, mode="nearest")
    _faults(hu, body, fine, rng)
    _couch(hu, body)
    return np.asarray(np.clip(hu, -1024, 3071), dtype=np.float32)


def _bones(hu: Floats, body: Body, fine: Floats, rng: np.random.Generator) -> None:
    """Cortex around spongiosa: the outermost voxel layer is dense."""
    bone = body.mask(*MARROW)
    inner = _inner(bone)
    hu[bone] = 430 + 60 * fine[bone] + rng.normal(0, 50)
    hu[inner] = 175 + 40 * fine[inner] + rng.normal(0, 25)
    shaft = inner & (body.warp.z < 830)
    hu[shaft] = 20


def _inner(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Voxels whose six neighbours belong to the mask too."""
    found = mask.copy()
    found[1:] &= mask[:-1]
    found[:-1] &= mask[1:]
    found[:, 1:] &= mask[:, :-1]
    found[:, :-1] &= mask[:, 1:]
    found[..., 1:] &= mask[..., :-1]
    found[..., :-1] &= mask[..., 1:]
    return found


def _gas(hu: Floats, body: Body, rng: np.random.Generator) -> None:
    """Gas rises to the front of gut; airways and sinuses of the head are black."""
    pockets = field(rng, body.organs, 28.0)
    limits = np.full(len(NAMES) + 1, np.inf, dtype=np.float32)
    for name, limit in (("stomach", 0.5), ("colon", 0.35), ("small_bowel", 1.3)):
        limits[list(number_of(name))] = limit
    core = _inner(body.mask("stomach", "colon", "small_bowel"))
    hu[core & (pockets > limits[body.organs.array])] = -850
    for spots in (
        [(0, -34, 1560, 8), (0, -56, 1572, 7), (0, -74, 1580, 6), (0, -20, 1540, 7), (0, -6, 1520, 7)],
        [(26, -66, 1582, 11), (-26, -66, 1582, 11), (0, -76, 1640, 9), (0, -52, 1600, 9)],
    ):
        hu.reshape(-1)[body.voxels(np.array(spots, dtype=np.float64))] = -950


def _lungs(hu: Floats, labels: npt.NDArray[np.uint8], fine: Floats) -> None:
    """Vessels of the lung: ridges of a smoothed noise; denser behind."""
    box = ndimage.find_objects(np.isin(labels, number_of("lung_*")).astype(np.uint8))
    if not box:
        return
    part = box[0]
    lung = np.isin(labels[part], number_of("lung_*"))
    ridge = ndimage.gaussian_filter(fine[part], 1.0)
    ridge /= ridge.std()
    behind = np.linspace(-25, 45, lung.shape[1], dtype=np.float32)[None, :, None]
    local = hu[part] + behind + 25 * fine[part]
    local += np.where(np.abs(ridge) < 0.12, 260, 0)
    hu[part][lung] = local[lung]


def _septa(hu: Floats, body: Body, rng: np.random.Generator) -> None:
    """Fat between the muscles: thin sheets where a random field crosses zero."""
    muscle = body.mask("muscles", "autochthon_*", "gluteus_maximus_*", "iliopsoas_*")
    deep = muscle & (body.wall_mm > 6)
    across = np.abs(field(rng, body.organs, 17.0))
    hu[deep] -= np.clip(1 - across[deep] / 0.16, 0, 1) * np.float32(rng.uniform(25, 75))


def _other_breath(hu: Floats, body: Body, rng: np.random.Generator) -> Floats:
    """The CT was taken in another breath than the PET: slices around the diaphragm move up or down by up to 12 mm."""
    grid = body.organs
    lift_mm = float(np.clip(rng.laplace(0, 4.0), -12, 12))
    k = np.arange(hu.shape[0], dtype=np.float64)
    z = (grid.affine[2, 3] + grid.affine[2, 2] * k) / body.warp.scale
    from_k = np.clip(k - lift_mm / grid.spacing_mm[2] * np.exp(-(((z - 1215) / 95) ** 2)), 0, hu.shape[0] - 1)
    below = np.minimum(from_k.astype(int), hu.shape[0] - 2)
    share = (from_k - below).astype(np.float32)[:, None, None]
    return np.asarray(hu[below] * (1 - share) + hu[below + 1] * share, dtype=np.float32)


def _faults(hu: Floats, body: Body, fine: Floats, rng: np.random.Generator) -> None:
    """Cupping, horizontal streaks where the body is wide and bony, a ring, and noise that grows with size."""
    grid = body.organs
    inside = body.wall_mm > 0
    wide = inside.sum(axis=2).max(axis=1) * float(grid.spacing_mm[0])
    hu -= (np.clip(body.wall_mm, 0, 90) * np.float32(rng.uniform(0.02, 0.14))) * inside
    level = (rng.uniform(5, 14) * np.clip(wide / 380, 0.5, 1.9) ** 2).astype(np.float32)
    streak = ndimage.uniform_filter1d(np.roll(fine, 3, axis=0), max(3, int(60 / grid.spacing_mm[0])), axis=2)
    streak *= np.float32(np.sqrt(60 / grid.spacing_mm[0]) * 0.6)
    bony = ndimage.gaussian_filter1d((hu > 250).sum(axis=(1, 2)).astype(np.float64), 2.0)
    strong = np.clip((wide - 390) / 120, 0, 1.5) * np.clip(bony / np.percentile(bony, 92), 0, 1.2) ** 3
    strong = strong.astype(np.float32)[:, None, None]
    hu += (level[:, None, None] * (np.roll(fine, 5, axis=1) + strong * streak)) * (body.wall_mm > -15)
    j, i = grid.array.shape[1:]
    y, x = np.meshgrid(np.arange(j) - j / 2, np.arange(i) - i / 2, indexing="ij")
    radius = np.hypot(y, x) * grid.spacing_mm[0]
    ring = 14 * np.exp(-(((radius - rng.uniform(20, 160)) / 3) ** 2)) * (rng.random() < 0.25)
    hu += ring.astype(np.float32)


def _couch(hu: Floats, body: Body) -> None:
    """A thin curved shell under the back."""
    grid = body.organs
    behind = np.flatnonzero((body.wall_mm > 0).any(axis=(0, 2)))
    i = grid.array.shape[2]
    x = (np.arange(i) - i / 2) * grid.spacing_mm[0]
    rise = (x / 210) ** 2 * 30
    row = np.rint(behind[-1] + 1.6 - rise / grid.spacing_mm[1]).astype(int)
    keep = (np.abs(x) < 210) & (row < grid.array.shape[1]) & (row >= 0)
    place = (slice(None), row[keep], np.flatnonzero(keep))
    hu[place] = np.where(body.wall_mm[place] < -2, np.maximum(hu[place], -380), hu[place])
