"""What is looked at to tell a lesion from healthy uptake: numbers of each candidate part, all bounded.

Organs come as shares of the part, of the shell around it and of a sphere around its hottest voxel, by groups of
organs: three looks, as an organ's border may be off. Nothing is said of a patient's other candidates, neither how many
they are nor how large: on patients that were not learned from, such numbers made the judgement worse (Brier score .098
for .080).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.segmentation.candidates import Candidates, Part

__all__ = ["NETWORK_FEATURES", "PLAIN_FEATURES", "Described", "Description", "describe"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Point = tuple[float, float, float]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "brain": ("brain",),
    "throat": ("tonsil", "tongue", "larynx"),
    "saliva": ("parotid_gland", "submandibular_gland"),
    "thyroid": ("thyroid_gland",),
    "heart": ("heart",),
    "kidney": ("kidney_left", "kidney_right"),
    "urine": ("ureter", "urinary_bladder"),
    "stomach": ("stomach", "esophagus"),
    "bowel": ("small_bowel", "colon"),
    "genital": ("testis", "uterus", "breast"),
    "liver": ("liver",),
    "spleen": ("spleen",),
    "lung": ("lung_left", "lung_right"),
    "bone": ("skull", "vertebrae_C", "vertebrae_T", "vertebrae_L", "sacrum", "hip", "femur", "rib", "bone"),
    "vessel": ("aorta", "pulmonary_artery", "inferior_vena_cava", "iliac_vessels"),
    "gland": ("pancreas", "adrenal_gland"),
    "muscle": ("skeletal_muscle",),
}
"""Classes of the shipped organ map that take up tracer in the same way."""
SPINE = ("vertebrae_C", "vertebrae_T", "vertebrae_L", "sacrum")

SHELL_MM = 8.0
"""Two voxels of the usual PET: beyond the spill-out of most, still the neighbourhood."""
SPHERE_MM = 10.0
MIRROR_MM = 14.0
"""Around the mirrored place; a patient is no more symmetrical than that [A]."""
MOST_RATIO = 4.0
"""Natural logarithms of ratios are held within this, a factor of 55."""
LIES_IN = 0.2
"""Share of a part in one organ from which it is said to lie in it; else it touches what its shell holds most of [A]."""

LOOKS = ("in", "shell", "around")
SHAPE = (
    *("log_volume", "log_suv_max", "log_suv_mean", "suv_cv", "log_max_to_liver", "log_contrast"),
    *("sphericity", "elongation", "flatness", "log_height", "hu_mean", "hu_sd", "dense_share", "gas_share"),
    *("above_liver", "lateral", "depth", "mirror", "split"),
)
PLAIN_FEATURES: tuple[str, ...] = (
    *(f"{look}_{group}" for look in LOOKS for group in GROUPS),
    *(f"peak_{group}" for group in GROUPS),
    *SHAPE,
)
"""What PET, CT and organs tell."""
NETWORK_FEATURES: tuple[str, ...] = ("p_mean", "p_max", "p_hottest", "p_share", "p_logit")
"""What the lesion network adds."""


@dataclass(frozen=True)
class Described:
    """One part in words and places.

    Attributes:
        organ: of the organ map as given, that the part lies in or touches most; None for none.
        hottest_mm: LPS; ties: the first voxel in array order.
    """

    part: Part
    organ: str | None
    suv_max: float
    hottest_mm: Point


@dataclass(frozen=True, eq=False)
class Description:
    """All parts of a scan.

    Attributes:
        plain: shape (n, features of :data:`PLAIN_FEATURES`). network: shape (n, features of :data:`NETWORK_FEATURES`);
            None where no lesion network took part.
    """

    parts: tuple[Described, ...]
    plain: Floats
    network: Floats | None = None


def describe(
    suv: Volume, ct_hu: Volume, anatomy: Anatomy, candidates: Candidates, probability: npt.NDArray[np.float32] | None
) -> Description:
    """Numbers of every part.

    Args:
        suv, ct_hu, anatomy: on one grid. probability: of the lesion network, 0 to 1, on that grid.
    """
    scene = _Scene(suv, ct_hu, anatomy, candidates)
    boxes = ndimage.find_objects(candidates.labels.array)
    parts, plain, network = [], [], []
    for part, box in zip(candidates.parts, boxes, strict=True):
        look = _Look(scene, part, box)
        parts.append(Described(part, look.organ, look.suv_max, look.hottest_mm))
        plain.append(look.plain())
        if probability is not None:
            network.append(look.seen_by_network(probability))
    width = len(PLAIN_FEATURES)
    told = np.array(network).reshape(-1, len(NETWORK_FEATURES)) if probability is not None else None
    return Description(tuple(parts), np.array(plain).reshape(-1, width), told)


@dataclass(frozen=True, eq=False)
class _Scene:
    """What all parts of one scan share."""

    suv: Volume
    ct_hu: Volume
    anatomy: Anatomy
    candidates: Candidates

    @cached_property
    def merged(self) -> Anatomy:
        """The organ map in the classes of the shipped one."""
        return self.anatomy if self.anatomy.organs is None else shipped_classes().of(self.anatomy)

    @cached_property
    def groups(self) -> npt.NDArray[np.uint8]:
        """Number of the group of organs at each voxel, 0 for none."""
        if self.merged.organs is None:
            return np.zeros(self.suv.array.shape, dtype=np.uint8)
        table = np.zeros(256, dtype=np.uint8)
        for number, names in enumerate(GROUPS.values(), start=1):
            table[[label for label, name in self.merged.names.items() if name in names]] = number
        found: npt.NDArray[np.uint8] = table[self.merged.organs.array]
        return found

    @cached_property
    def liver_suv(self) -> float | None:
        values = self.suv.array[(self.groups == _number("liver")) & (self.candidates.labels.array == 0)]
        return float(np.median(values)) if values.size else None

    @cached_property
    def liver_z_mm(self) -> float | None:
        inside = np.argwhere(self.groups == _number("liver"))
        return float(self.suv.points_mm(inside.mean(axis=0))[2]) if len(inside) else None

    @cached_property
    def spine_mm(self) -> Floats:
        """Voxel centres of the spine, shape (m, 3), thinned; the middle of the field where no spine is known."""
        inside = np.argwhere(self.merged.mask(*SPINE))[::20] if self.merged.has(*SPINE) else np.empty((0, 3))
        if not len(inside):
            inside = np.array([np.array(self.suv.array.shape) / 2])
        return self.suv.points_mm(inside)

    def axis_mm(self, z_mm: float) -> tuple[float, float]:
        """x and y of the spine's middle at a height."""
        near = np.argsort(np.abs(self.spine_mm[:, 2] - z_mm))[:50]
        x, y = self.spine_mm[near, :2].mean(axis=0)
        return float(x), float(y)

    def sphere(self, centre_kji: Floats, radius_mm: float) -> tuple[npt.NDArray[np.int64], ...]:
        """Indices of the voxels whose centres lie within a distance, at least the nearest one; cut at the grid."""
        spacing = self.suv.spacing_mm[::-1]
        shape = np.array(self.suv.array.shape)
        reach = np.ceil(radius_mm / spacing).astype(int)
        middle = np.clip(np.rint(centre_kji).astype(int), 0, shape - 1)
        low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, shape)
        k, j, i = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
        index = np.stack([k.ravel(), j.ravel(), i.ravel()])
        near = (((index.T - middle) * spacing) ** 2).sum(axis=1) <= radius_mm**2
        return tuple(index[:, near])


class _Look:
    """One part, looked at in its box and the shell around it."""

    def __init__(self, scene: _Scene, part: Part, box: tuple[slice, ...]) -> None:
        self._scene, self._part = scene, part
        spacing = scene.suv.spacing_mm[::-1]
        margin = np.ceil(SHELL_MM / spacing).astype(int)
        self._box = tuple(
            slice(max(0, side.start - m), min(n, side.stop + m))
            for side, m, n in zip(box, margin, scene.suv.array.shape, strict=True)
        )
        labels = scene.candidates.labels.array[self._box]
        self._inside: Mask = labels == part.label
        away_mm = ndimage.distance_transform_edt(~self._inside, sampling=spacing)
        self._shell: Mask = ~self._inside & (away_mm <= SHELL_MM)
        self._cold_shell: Mask = self._shell & (labels == 0)
        self._suv = scene.suv.array[self._box].astype(np.float64)
        self._values = self._suv[self._inside]
        within = np.argwhere(self._inside)
        self._voxels = within + [side.start for side in self._box]
        self._hottest = self._voxels[int(np.argmax(self._values))]
        self.suv_max = float(self._values.max())
        x, y, z = scene.suv.points_mm(self._hottest)
        self.hottest_mm: Point = (float(x), float(y), float(z))

    @property
    def organ(self) -> str | None:
        """Name on the organ map as given."""
        anatomy = self._scene.anatomy
        if anatomy.organs is None:
            return None
        there = anatomy.organs.array[self._box]
        names = anatomy.names
        counts = _counts(there[self._inside])
        best = max((label for label in counts if label in names), key=lambda one: counts[one], default=None)
        if best is not None and counts[best] >= LIES_IN * len(self._values):
            return names[best]
        if self._part.organ is not None:
            return self._part.organ
        around = _counts(there[self._shell])
        best = max((label for label in around if label in names), key=lambda one: around[one], default=None)
        return None if best is None else names[best]

    def plain(self) -> Floats:
        """In the order of :data:`PLAIN_FEATURES`."""
        groups = self._scene.groups
        here = groups[self._box]
        looks = (
            here[self._inside],
            here[self._shell],
            groups[self._scene.sphere(self._hottest, SPHERE_MM)],
            groups[tuple(self._hottest)],
        )
        shares = [np.bincount(np.atleast_1d(one), minlength=len(GROUPS) + 1)[1:] / max(1, one.size) for one in looks]
        return np.concatenate([*shares, self._uptake(), self._shape(), self._place()])

    def seen_by_network(self, probability: npt.NDArray[np.float32]) -> Floats:
        """In the order of :data:`NETWORK_FEATURES`."""
        inside = probability[self._box][self._inside]
        around = probability[self._scene.sphere(self._hottest, SPHERE_MM / 2)]
        mean = float(inside.mean())
        held = min(max(mean, 0.01), 0.99)
        return np.array([mean, inside.max(), around.mean(), (inside > 0.5).mean(), np.log(held / (1 - held))])

    def _uptake(self) -> list[float]:
        mean = float(self._values.mean())
        shell = self._suv[self._cold_shell]
        outside = float(shell.mean()) if shell.size else mean
        liver = self._scene.liver_suv
        return [
            np.log(self._part.volume_ml),
            np.log(self.suv_max),
            np.log(mean),
            min(2.0, float(self._values.std()) / mean),
            0.0 if liver is None else _log_ratio(self.suv_max, liver),
            _log_ratio(mean, outside),
        ]

    def _shape(self) -> list[float]:
        spacing = self._scene.suv.spacing_mm[::-1]
        along = np.sqrt(np.maximum(np.linalg.eigvalsh(_spread(self._voxels * spacing)), (spacing.min() / 4) ** 2))
        hu = self._scene.ct_hu.array[self._box][self._inside].astype(np.float64)
        height_mm = float(np.ptp(self._voxels[:, 0]) + 1) * spacing[0]
        return [
            _sphericity(self._inside, spacing),
            _log_ratio(along[2], along[1]),
            _log_ratio(along[1], along[0]),
            np.log(height_mm / 10.0),
            float(np.arcsinh((hu.mean() - 40.0) / 100.0)),
            float(np.log1p(hu.std() / 50.0)),
            float((hu > 150.0).mean()),
            float((hu < -300.0).mean()),
        ]

    def _place(self) -> list[float]:
        scene, (x, y, z) = self._scene, self.hottest_mm
        middle_x, middle_y = scene.axis_mm(z)
        mirrored = scene.suv.index_kji((2 * middle_x - x, y, z))
        opposite = float(scene.suv.array[scene.sphere(mirrored, MIRROR_MM)].max())
        return [
            0.0 if scene.liver_z_mm is None else float(np.clip((z - scene.liver_z_mm) / 300.0, -3.0, 3.0)),
            min(2.0, abs(x - middle_x) / 100.0),
            float(np.clip((middle_y - y) / 100.0, -2.0, 3.0)),
            _log_ratio(opposite, self.suv_max),
            float(self._part.split),
        ]


def _number(group: str) -> int:
    return list(GROUPS).index(group) + 1


def _counts(values: npt.NDArray[Any]) -> dict[int, int]:
    numbers, counts = np.unique(values, return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _log_ratio(one: float, other: float) -> float:
    return float(np.clip(np.log(max(one, 1e-3) / max(other, 1e-3)), -MOST_RATIO, MOST_RATIO))


def _spread(points_mm: Floats) -> Floats:
    """Covariance of points, shape (3, 3); 0 for one point."""
    return np.cov(points_mm.T, bias=True) if len(points_mm) > 1 else np.zeros((3, 3))


def _sphericity(inside: Mask, spacing_mm: Floats) -> float:
    """Surface of the ball of equal volume over the surface of the voxels, 0 to 1; a ball of voxels reads 2/3."""
    padded = np.pad(inside, 1).astype(np.int8)
    faces = [float(np.abs(np.diff(padded, axis=axis)).sum()) for axis in range(3)]
    k, j, i = spacing_mm
    surface = faces[0] * j * i + faces[1] * k * i + faces[2] * k * j
    volume = float(inside.sum()) * k * j * i
    return float(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / surface)
