"""A crude standing body from knees to vertex: legs, trunk with lungs, arms, neck, head."""

from __future__ import annotations

import numpy as np
from lymphoma.imaging import Volume
from scipy import ndimage

STEP_MM = 6.0
SHAPE = (175, 100, 100)
"""(slices foot to head, rows, columns); the patient is 1,000 mm of it."""


def solids(shift_mm=(0.0, 0.0, 0.0)) -> dict[str, np.ndarray]:
    """bool arrays by name; ``shift_mm`` is (z, y, x)."""
    k, j, i = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    z, y, x = k * STEP_MM - shift_mm[0], (j - 50) * STEP_MM - shift_mm[1], (i - 50) * STEP_MM - shift_mm[2]

    def ellipsoid(cz, cx, rz, ry, rx):
        return ((z - cz) / rz) ** 2 + (y / ry) ** 2 + ((x - cx) / rx) ** 2 < 1

    legs = (z <= 280) & ((y / (55 + z * 0.08)) ** 2 + ((np.abs(x) - 85) / (55 + z * 0.08)) ** 2 < 1)
    trunk = (z > 260) & (z < 780)
    trunk = trunk & ((y / (110 + 15 * np.sin(z / 90))) ** 2 + (x / (165 + 25 * np.sin(z / 110))) ** 2 < 1)
    arms = (z > 330) & (z < 800) & ((y - 10) ** 2 + (np.abs(x) - 230) ** 2 < 40**2)
    shoulders, head = ellipsoid(770, 0, 50, 70, 220), ellipsoid(895, 0, 105, 95, 75)
    neck = (z >= 770) & (z < 850) & (y**2 + x**2 < 60**2)
    lungs = ellipsoid(640, -75, 90, 70, 55) | ellipsoid(640, 75, 90, 70, 55)
    couch = np.broadcast_to((np.abs(y - 160) < 5) & (np.abs(x) < 210) & (z > -1e9), SHAPE)
    body = legs | trunk | arms | shoulders | head | neck
    return {"body": body, "lungs": lungs, "couch": couch, "head": head, "legs": legs}


def pet_ct(pet_shift_mm=(0.0, 0.0, 0.0), couch=False, seed=0) -> tuple[Volume, Volume]:
    """SUV (blurred by 6 mm, noisy) and HU on one grid, k from foot to head."""
    rng = np.random.default_rng(seed)
    on_ct, on_pet = solids(), solids(pet_shift_mm)
    hu = np.where(on_ct["body"], 20.0, -1000.0)
    hu[on_ct["lungs"]] = -800.0
    if couch:
        hu[on_ct["couch"] & ~on_ct["body"]] = -100.0
    suv = ndimage.gaussian_filter(np.where(on_pet["body"], 0.6, 0.0), 6.0 / 2.355 / STEP_MM)
    suv = suv + rng.normal(0.0, 0.1, suv.shape) * np.sqrt(np.maximum(suv, 0.02))
    affine = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    affine[:3, 3] = (-300.0, -300.0, -900.0)
    return Volume(suv.clip(0).astype(np.float32), affine), Volume(hu.astype(np.float32), affine)


def crop(volume: Volume, first: int, last: int) -> Volume:
    """Slices first..last-1."""
    affine = volume.affine.copy()
    affine[:3, 3] = volume.points_mm([first, 0, 0])
    return Volume(volume.array[first:last], affine)


def upside_down(volume: Volume) -> Volume:
    """The same patient, slices stored from head to foot."""
    affine = volume.affine.copy()
    affine[:3, 2] *= -1
    affine[:3, 3] = volume.points_mm([volume.array.shape[0] - 1, 0, 0])
    return Volume(volume.array[::-1].copy(), affine)
