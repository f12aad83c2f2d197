"""Uptake that is neither organ nor lymphoma: brown fat, inflammation, exercise, urine on the skin, a port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.generator_b.body import Body, number_of
from tests.generator_b.geometry import Floats, curve, field
from tests.generator_b.skeleton import TOPS

__all__ = ["Scene", "add_confusers"]


@dataclass(frozen=True, eq=False)
class Scene:
    """The uptake under construction. ``suv`` and ``findings`` are filled in place while a patient is built."""

    body: Body
    suv: Floats
    means: Floats
    findings: list[str]

    def raise_to(self, flat: npt.NDArray[np.int64], level: float | Floats, over: tuple[str, ...] = ()) -> None:
        """Sets voxels to at least ``level``; ``over`` limits them to structures."""
        if over:
            keep = np.isin(self.body.organs.array.reshape(-1)[flat], number_of(*over))
            level = level[keep] if isinstance(level, np.ndarray) else level
            flat = flat[keep]
        line = self.suv.reshape(-1)
        line[flat] = np.maximum(line[flat], np.asarray(level, dtype=np.float32))


def add_confusers(scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Adds each by its own chance; returns the flat indices of metal (a port's chamber)."""
    for chance, name, add in _KINDS:
        happens = rng.random() < chance
        own = np.random.default_rng(rng.integers(0, 2**62))
        if happens:
            add(scene, own)
            scene.findings.append(name)
    if rng.random() < 0.12:
        scene.findings.append("port")
        return scene.body.voxels(np.array([(-62.0, -92, 1405, 6), (-58, -92, 1405, 6)]))
    return np.empty(0, dtype=np.int64)


def _brown_fat(scene: Scene, rng: np.random.Generator) -> None:
    level = rng.uniform(3.0, 9.0)
    for sign in (1, -1):
        chains = [
            curve([(26, 10, 1500, 5), (48, 14, 1468, 7), (88, 22, 1448, 8), (112, 30, 1430, 6)], 5),
            curve([(24, 62, float(z), 3.5) for z in TOPS[8:16]], 6),
        ]
        for tube in chains:
            tube = tube[rng.random(len(tube)) < 0.75] * (sign, 1, 1, 1)
            tube[:, :3] += rng.normal(0, 2.5, (len(tube), 3))
            flat = scene.body.voxels(tube)
            scene.raise_to(flat, float(level * rng.uniform(0.6, 1.1)), ("muscles", "subcutaneous_fat", "autochthon_*"))


def _nodes(scene: Scene, rng: np.random.Generator, middles: npt.NDArray[np.float64], level: float) -> None:
    for middle in middles:
        path = middle + np.cumsum(rng.normal(0, 2.5, (3, 3)), axis=0)
        tube = np.column_stack((path, rng.uniform(2.8, 5.5, 3)))
        scene.raise_to(scene.body.voxels(tube), float(level * rng.uniform(0.5, 1.2)))


def _vaccinated(scene: Scene, rng: np.random.Generator) -> None:
    sign = rng.choice([-1, 1])
    count = int(rng.integers(2, 6))
    middles = np.array([126, 10, 1395]) + rng.normal(0, 1, (count, 3)) * (12, 12, 18)
    _nodes(scene, rng, middles * (sign, 1, 1), rng.uniform(2.5, 6.5))


def _sarcoid(scene: Scene, rng: np.random.Generator) -> None:
    level = rng.uniform(4.0, 9.0)
    for sign in (1, -1):
        _nodes(scene, rng, np.array([(38, 10, 1345), (44, 4, 1332), (14, 6, 1380)]) * (sign, 1, 1), level)
    _nodes(scene, rng, np.array([(2.0, 22, 1362)]), level)


def _fracture(scene: Scene, rng: np.random.Generator) -> None:
    ribs = scene.body.mask("rib_*")
    flat = np.flatnonzero(ribs)
    if not len(flat):
        return
    at = scene.body.organs.points_mm(np.array(np.unravel_index(rng.choice(flat), ribs.shape)))
    for shift in range(int(rng.integers(1, 4))):
        near = flat[_distance(scene, flat, at - np.array([0.0, 0.0, 26.0 * shift])) < 11]
        scene.raise_to(near, float(rng.uniform(2.5, 5.5)))


def _distance(scene: Scene, flat: npt.NDArray[np.int64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    grid = scene.body.organs
    points = grid.points_mm(np.stack(np.unravel_index(flat, grid.array.shape), -1))
    return np.asarray(np.linalg.norm(points - at, axis=1))


def _joints(scene: Scene, rng: np.random.Generator) -> None:
    level = rng.uniform(2.2, 4.5)
    for middle in ((162, 16, 1428, 24), (92, 4, 906, 26)):
        for sign in (1, -1):
            if rng.random() < 0.5:
                ball = scene.body.voxels(np.array([middle], dtype=np.float64) * (sign, 1, 1, 1))
                inner = scene.body.voxels(np.array([middle], dtype=np.float64) * (sign, 1, 1, 0.72))
                scene.raise_to(np.setdiff1d(ball, inner), float(level * rng.uniform(0.4, 1)), ("muscles",))


def _exercise(scene: Scene, rng: np.random.Generator) -> None:
    """One group of muscles: front or back of the legs, shoulders, neck; middle and half-widths in mm."""
    body = scene.body
    groups = (
        (95, -30, 740, 55, 38, 130),
        (95, 50, 800, 60, 38, 130),
        (165, 12, 1415, 45, 45, 45),
        (35, 12, 1500, 26, 30, 45),
    )
    x, y, z, across, deep, high = groups[int(rng.integers(0, 4))]
    away = ((np.abs(body.warp.x) - x) / across) ** 2 + ((body.warp.y - y) / deep) ** 2 + ((body.warp.z - z) / high) ** 2
    muscle = body.mask("muscles", "gluteus_maximus_*") & (away < 6)
    extra = (rng.uniform(1.0, 3.5) * np.exp(-(away**2)))[muscle]
    scene.suv[muscle] *= 1 + extra * np.clip(1 + 0.5 * field(rng, body.organs, 26.0), 0.2, 2)[muscle]


def _contamination(scene: Scene, rng: np.random.Generator) -> None:
    side = rng.choice([-1, 1])
    start = np.array([side * rng.uniform(5, 50), rng.uniform(-70, 40), rng.uniform(730, 850)])
    path = start + np.cumsum(rng.normal(0, 6, (8, 3)), axis=0)
    whole = np.flatnonzero((scene.body.wall_mm.reshape(-1) < 5) & (scene.body.organs.array.reshape(-1) > 0))
    points = scene.body.place(np.column_stack((path, np.full(8, 5.0))))[0]
    for at in points:
        near = whole[np.abs(_distance(scene, whole, at) - 4) < 6]
        scene.raise_to(near, float(rng.uniform(4, 25)))


def _paravenous(scene: Scene, rng: np.random.Generator) -> None:
    side = rng.choice([-1, 1])
    up = scene.body.person.arms_up
    elbow = (178, -22, 1690) if up else (236, 8, 1118)
    path = np.array(elbow) * (side, 1, 1) + np.cumsum(rng.normal(0, 5, (7, 3)), axis=0)
    tube = np.column_stack((path, rng.uniform(3, 7, 7)))
    scene.raise_to(scene.body.voxels(tube), float(rng.uniform(8, 45)), ("muscles", "subcutaneous_fat"))


def _pneumonia(scene: Scene, rng: np.random.Generator) -> None:
    lung = np.flatnonzero(scene.body.mask("lung_lower_lobe_*"))
    if not len(lung):
        return
    grid = scene.body.organs
    at = grid.points_mm(np.array(np.unravel_index(rng.choice(lung), grid.array.shape)))
    near = lung[_distance(scene, lung, at) < rng.uniform(18, 38)]
    rough = np.exp(0.6 * field(rng, grid, 14.0).reshape(-1)[near])
    scene.raise_to(near, (rng.uniform(1.5, 3.6) * rough).astype(np.float32))


def _larynx(scene: Scene, rng: np.random.Generator) -> None:
    for sign in (1, -1) if rng.random() < 0.6 else (rng.choice([1, -1]),):
        cord = np.array([(5.0 * sign, -22, 1482, 3.5), (9.0 * sign, -12, 1482, 4)])
        scene.raise_to(scene.body.voxels(cord), float(rng.uniform(2.5, 6.0)))


def _thyroiditis(scene: Scene, rng: np.random.Generator) -> None:
    gland = np.flatnonzero(scene.body.mask("thyroid_gland_*"))
    scene.raise_to(gland, float(rng.uniform(4, 9)))


def _reflux(scene: Scene, rng: np.random.Generator) -> None:
    low = curve([(6, 30, 1340, 5), (16, 16, 1270, 7), (30, 6, 1258, 8)], 4)
    scene.raise_to(scene.body.voxels(low), float(rng.uniform(2.8, 5.0)))


_KINDS: tuple[tuple[float, str, Callable[[Scene, np.random.Generator], None]], ...] = (
    (0.10, "brown fat", _brown_fat),
    (0.12, "vaccination", _vaccinated),
    (0.05, "sarcoid", _sarcoid),
    (0.08, "rib fracture", _fracture),
    (0.15, "arthritis", _joints),
    (0.10, "exercise", _exercise),
    (0.07, "urine on the skin", _contamination),
    (0.07, "paravenous injection", _paravenous),
    (0.06, "pneumonia", _pneumonia),
    (0.15, "vocal cords", _larynx),
    (0.06, "thyroiditis", _thyroiditis),
    (0.09, "reflux", _reflux),
)
