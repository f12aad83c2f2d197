"""Skeletal muscles that have a name, each in its plane of fat; all other muscle is that of the outline."""

from __future__ import annotations

import numpy as np

from lymphoma.simulation.frame import Canvas
from lymphoma.simulation.outline import spine_y
from lymphoma.simulation.shapes import Array, Ellipsoid, Region, Shape, mirrored, rotation, tube
from lymphoma.simulation.tissues import SIDES

__all__ = ["paint_muscles"]

_PLANE_MM = 1.8


def paint_muscles(canvas: Canvas) -> None:
    """Neck, chest wall, back, hip; painted into the outline's muscle before any organ or bone."""
    for side, name in SIDES.items():
        canvas.paint("visceral_fat", _septa(side), only=("muscle",))
        _belly(canvas, f"autochthon_{name}", _back(side))
        _belly(
            canvas,
            f"gluteus_maximus_{name}",
            Ellipsoid(mirrored((84.0, 84.0, -8.0), side), (62.0, 30.0, 74.0), rotation("y", -side * 20.0)),
        )
        _belly(canvas, f"gluteus_medius_{name}", Ellipsoid(mirrored((122.0, 30.0, 66.0), side), (28.0, 52.0, 54.0)))
        _belly(canvas, f"pectoralis_{name}", Ellipsoid(mirrored((78.0, -88.0, 455.0), side), (56.0, 20.0, 50.0)))
        _belly(canvas, f"masseter_{name}", Ellipsoid(mirrored((53.0, -26.0, 641.0), side), (8.0, 15.0, 23.0)))
        strap = ((57.0, 20.0, 664.0), (49.0, -4.0, 610.0), (36.0, -26.0, 568.0), (17.0, -44.0, 530.0))
        _belly(canvas, f"sternocleidomastoid_{name}", *tube([mirrored(p, side) for p in strap], 8.0, 7.0))
        # fat between the layers of the shoulder and between the thigh's compartments
        canvas.paint("fat", Ellipsoid(mirrored((142.0, 6.0, 450.0), side), (20.0, 26.0, 42.0)), only=("muscle",))
        canvas.paint("fat", Ellipsoid(mirrored((74.0, -58.0, -30.0), side), (22.0, 16.0, 40.0)), only=("muscle",))


def _septa(side: int) -> Region:
    """Sheets of fat between the compartments of a thigh, bent around the femur."""

    def level(x: Array, y: Array, z: Array) -> Array:
        u, v = side * x - np.float32(92), y - np.float32(4)
        away = np.sqrt(u**2 + v**2)
        turn = np.arctan2(v, u) + np.float32(0.012) * away
        sheet = np.abs(np.sin(np.float32(1.5) * turn)) * away - np.float32(2.0)
        return np.asarray(np.maximum(np.maximum(sheet, 30 - away), away - 62) + 0 * z)

    low, high = sorted((side * 28.0, side * 156.0))
    return Region(((low, -60.0, -330.0), (high, 68.0, -62.0)), level)


def _belly(canvas: Canvas, name: str, *shapes: Shape) -> None:
    canvas.paint("visceral_fat", *shapes, only=("muscle",), grow_mm=_PLANE_MM)
    canvas.paint(name, *shapes, only=("muscle", "visceral_fat"))


def _back(side: int) -> Region:
    """The muscles along the spine, from the sacrum to the head."""

    def level(x: Array, y: Array, z: Array) -> Array:
        wide = np.interp(z, (40, 120, 300, 560, 640), (20, 25, 22, 15, 14)).astype(np.float32)
        deep = np.interp(z, (40, 120, 300, 560, 640), (14, 22, 17, 13, 14)).astype(np.float32)
        away = np.interp(z, (40, 120, 300, 560, 640), (24, 45, 38, 34, 32)).astype(np.float32)
        u = (side * x - wide - np.float32(4)) / wide
        v = (y - spine_y(z) - away) / deep
        return np.asarray((np.sqrt(u**2 + v**2) - np.float32(1)) * deep)

    low, high = sorted((side * 2.0, side * 60.0))
    return Region(((low, 20.0, 40.0), (high, 130.0, 645.0)), level)
