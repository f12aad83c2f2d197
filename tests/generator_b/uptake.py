"""Healthy uptake: organs with their inner patterns, and what else a reader must tell from lymphoma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tests.generator_b import skeleton, viscera
from tests.generator_b.body import Body, number_of
from tests.generator_b.confusers import Scene, add_confusers
from tests.generator_b.geometry import Floats, field, loft, stream
from tests.generator_b.priors import Tracer, draw_means

__all__ = ["Uptake", "draw_uptake"]

STREAM = 10


@dataclass(frozen=True, eq=False)
class Uptake:
    """Attributes: suv: float32, before the camera. findings: what was added to the ordinary, in words. metal: flat
    indices of metal voxels on the CT."""

    suv: Floats
    findings: tuple[str, ...]
    metal: npt.NDArray[np.int64]


def draw_uptake(seed: int, body: Body, tracer: Tracer = "fdg", treated_marrow: bool = False) -> Uptake:
    """The uptake of one patient without lymphoma.

    Args:
        tracer: another tracer than FDG is a fault on purpose. treated_marrow: marrow and spleen after therapy.
    """
    rng = stream(seed, STREAM)
    means, marrow = draw_means(rng, tracer)
    findings: list[str] = []
    reactive = rng.random()
    strength, after_therapy = rng.uniform(1.7, 3.0), rng.uniform(4.2, 7.5)
    if treated_marrow:
        from_spine = np.float32(after_therapy / marrow)
        means[list(number_of("vertebrae_*", "sacrum", "sternum", "hip_*", "rib_*", "scapula_*", "clavicula_*"))] *= (
            from_spine
        )
        means[list(number_of("femur_*", "humerus_*"))] *= 1.3 * from_spine
        means[list(number_of("spleen"))] *= 2.2
    elif reactive < 0.07 and tracer == "fdg":
        means[list(number_of("vertebrae_*", "sacrum", "sternum", "hip_*", "rib_*"))] *= strength
        means[list(number_of("spleen"))] *= 1 + 0.5 * (strength - 1)
        findings.append("reactive marrow")
    suv = means[body.organs.array] * np.exp(0.09 * field(rng, body.organs, 34.0))
    scene = Scene(body, suv, means, findings)
    if tracer == "fdg":
        _brain(scene, rng)
        _heart(scene, rng)
        _bowel(scene, rng)
        _mouth(scene, rng)
    _bones(scene)
    _urine(scene, rng, tracer)
    metal = add_confusers(scene, rng) if tracer == "fdg" else np.empty(0, dtype=np.int64)
    return Uptake(suv.astype(np.float32), tuple(findings), metal)


def _brain(scene: Scene, rng: np.random.Generator) -> None:
    """Cortical ribbon with folds, deep grey matter, a fainter cerebellum."""
    body = scene.body
    brain = body.mask("brain")
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    place, step = brain[box], body.organs.spacing_mm[::-1]
    # measured in space, not along the slice: under the vertex a slice runs almost along the cortex
    inside = ndimage.distance_transform_edt(np.pad(place, 1), sampling=step)
    depth = inside[1:-1, 1:-1, 1:-1] - step.min() / 2
    folds = field(rng, body.organs, 16.0)[box]
    ribbon = 1 / (1 + np.exp(-(13.0 - depth + 8.0 * folds) / 2.0))
    x, y, z = body.warp.x[box], body.warp.y[box], body.warp.z[box]
    fissure = np.exp(-((x / 4.0) ** 2)) * (z > 1640)
    deep = np.exp(-(((np.abs(x) - 17) / 9) ** 2) - ((y + 2) / 19) ** 2 - ((z - 1660) / 13) ** 2)
    behind = body.warp.depth(loft(skeleton.CEREBELLUM), box) > 0
    share = np.clip(0.36 + 0.64 * ribbon + 0.65 * deep - 0.25 * fissure, 0.3, 1.1)
    level = scene.means[number_of("brain")[0]]
    values = level * np.where(behind, 0.72 + 0.08 * folds, share)
    scene.suv[box][place] = np.clip(values, 1.5, None)[place]


def _heart(scene: Scene, rng: np.random.Generator) -> None:
    """The left ventricle's wall, a cup; suppressed, patchy or full, as the fast was."""
    state = rng.choice(3, p=[0.45, 0.3, 0.25])
    level = (rng.uniform(1.4, 2.4), rng.uniform(2.5, 6.5), rng.uniform(6.0, 15.0))[state]
    body = scene.body
    base, apex = viscera.VENTRICLE
    axis = (apex - base) / np.linalg.norm(apex - base)
    box = body.warp.box(np.array([np.minimum(base, apex) - 40, np.maximum(base, apex) + 40]))
    d = np.stack([body.warp.x[box] - base[0], body.warp.y[box] - base[1], body.warp.z[box] - base[2]], -1)
    along = d @ axis.astype(np.float32) / np.float32(np.linalg.norm(apex - base))
    off = d - (along * np.linalg.norm(apex - base))[..., None] * axis.astype(np.float32)
    away = np.linalg.norm(off, axis=-1)
    outer = 31 * np.sqrt(np.clip(1.05 - np.clip(along, 0, 1.1) ** 2.4, 0, None))
    inner = 20 * np.sqrt(np.clip(0.80 - np.clip(along, 0, 1.1) ** 2.4, 0, None))
    wall = (away < outer) & (away > inner) & (along > -0.15) & np.isin(body.organs.array[box], number_of("heart"))
    lateral = off[..., 0] / np.maximum(away, 1)
    uneven = 1 + (0.55 if state == 1 else 0.15) * lateral * rng.choice([1.0, 1.0, -0.6])
    scene.suv[box][wall] = (level * uneven)[wall]


def _bowel(scene: Scene, rng: np.random.Generator) -> None:
    """Each stretch of gut has its own uptake; metformin lights most of it."""
    treated = rng.random() < 0.13
    if treated:
        scene.findings.append("bright bowel")
    bowel = (("colon", 30.0, 0.42, 1.0), ("small_bowel", 26.0, 0.30, 0.6))
    for name, knot, spread, share in bowel:
        place = scene.body.organs.array == number_of(name)[0]
        uneven = field(rng, scene.body.organs, knot)[place] * spread
        bright = rng.uniform(2.2, 4.5) * share if treated else 1.0
        scene.suv[place] = np.clip(scene.suv[place] * np.exp(uneven * 1.4) * max(1.0, bright), 0.5, 13.0)
    if not treated and rng.random() < 0.5:
        part = viscera.colon(np.random.default_rng(0))[int(rng.choice([0, 3, 4]))]
        flat = scene.body.voxels(part)
        inside = flat[np.isin(scene.body.organs.array.reshape(-1)[flat], number_of("colon"))]
        scene.suv.reshape(-1)[inside] *= np.float32(rng.uniform(1.5, 3.0))


def _mouth(scene: Scene, rng: np.random.Generator) -> None:
    """Tongue and floor of the mouth, nasal mucosa, soft palate, eyes' muscles."""
    spots = (
        ((0, -50, 1530, 13), rng.gamma(8, 0.35)),
        ((0, -26, 1536, 10), rng.gamma(8, 0.33)),
        ((0, -62, 1588, 9), rng.gamma(8, 0.26)),
        ((28, -66, 1620, 7), rng.gamma(8, 0.30)),
        ((-28, -66, 1620, 7), rng.gamma(8, 0.30)),
        ((0, -16, 1470, 8), rng.gamma(6, 0.28)),
    )
    for spot, level in spots:
        flat = scene.body.voxels(np.array([spot], dtype=np.float64))
        scene.raise_to(flat, float(level), over=("muscles",))


def _bones(scene: Scene) -> None:
    """Yellow marrow: shafts of the limbs far from the trunk are faint."""
    body = scene.body
    limbs = body.mask("femur_*", "humerus_*")
    z, x = body.warp.z[limbs], np.abs(body.warp.x[limbs])
    yellow = np.clip((830 - z) / 90, 0, 1) + np.clip((x - 185) / 25, 0, 1)
    scene.suv[limbs] = scene.suv[limbs] * (1 - 0.55 * np.clip(yellow, 0, 1))


def _urine(scene: Scene, rng: np.random.Generator, tracer: Tracer) -> None:
    """Renal pelvis and columns of urine in the ureters."""
    faint = 0.3 if tracer == "fes" else 1.0
    for side, sign in (("left", 1.0), ("right", -1.0)):
        tube = np.array([(44, 36, 1128, 8), (50, 38, 1118, 7), (46, 36, 1108, 7), (40, 32, 1098, 4.5)]) * (
            sign,
            1,
            1,
            1,
        )
        tube[:, 2] += 9 if side == "left" else -9
        level = min(45.0, 8 * float(np.exp(rng.logistic(0, 0.38)))) * faint
        scene.raise_to(scene.body.voxels(tube), level)
    for tube in viscera.ureters(rng):
        level = min(30.0, 9 * float(np.exp(rng.logistic(0, 0.35)))) * faint
        scene.raise_to(scene.body.voxels(tube), level)
