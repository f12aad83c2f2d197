"""Head and neck of the reference body."""

from __future__ import annotations

import numpy as np

from lymphoma.simulation.build import Build
from lymphoma.simulation.frame import Canvas
from lymphoma.simulation.shapes import Array, Ellipsoid, Region, Shape, mirrored, tube
from lymphoma.simulation.tissues import MUSCLES, SIDES

__all__ = ["paint_airway", "paint_head"]

_BRAIN = Ellipsoid((0.0, 2.0, 752.0), (63.0, 81.0, 66.0))


def paint_head(canvas: Canvas, build: Build) -> None:
    """Skull, brain with grey and white matter, face, salivary glands, tonsils."""
    face: tuple[Shape, ...] = (
        Ellipsoid((0.0, -64.0, 648.0), (30.0, 24.0, 15.0)),
        *tube(((-48.0, -2.0, 670.0), (-46.0, -22.0, 622.0), (-20.0, -76.0, 606.0)), 6.5),
        *tube(((48.0, -2.0, 670.0), (46.0, -22.0, 622.0), (20.0, -76.0, 606.0)), 6.5),
        *tube(((-20.0, -76.0, 606.0), (0.0, -82.0, 605.0), (20.0, -76.0, 606.0)), 7.5),
        *tube(((-62.0, -20.0, 688.0), (-52.0, -66.0, 680.0)), 4.5),
        *tube(((62.0, -20.0, 688.0), (52.0, -66.0, 680.0)), 4.5),
    )
    canvas.paint_bone("skull", Ellipsoid(_BRAIN.centre, (70.5, 88.5, 73.5)), rim_mm=2.5)
    canvas.paint_bone("skull", Ellipsoid((0.0, 44.0, 692.0), (56.0, 42.0, 34.0)), *face, rim_mm=2.5)
    canvas.paint_bone("skull", Ellipsoid((0.0, -40.0, 678.0), (46.0, 44.0, 22.0)), rim_mm=2.0)
    _paint_brain(canvas)
    for side, name in SIDES.items():
        canvas.paint("airway", Ellipsoid(mirrored((27.0, -56.0, 668.0), side), (13.0, 15.0, 14.0)))
        canvas.paint("visceral_fat", Ellipsoid(mirrored((28.0, -62.0, 702.0), side), (15.0, 26.0, 15.0)))
        for x in (18.0, 36.0):
            canvas.paint(
                "eye_muscle", *tube([mirrored(p, side) for p in ((x, -72.0, 702.0), (22.0, -44.0, 702.0))], 2.6)
            )
        canvas.paint("eye", Ellipsoid(mirrored((31.0, -78.0, 702.0), side), (12.0, 12.0, 12.0)))
        canvas.paint(f"parotid_{name}", Ellipsoid(mirrored((56.0, -2.0, 650.0), side), (10.0, 16.0, 22.0)), only=_SOFT)
        canvas.paint(
            f"submandibular_{name}", Ellipsoid(mirrored((32.0, -38.0, 604.0), side), (9.0, 15.0, 10.0)), only=_SOFT
        )
    canvas.paint("airway", Ellipsoid((0.0, -62.0, 678.0), (11.0, 26.0, 20.0)))
    canvas.paint("gingiva", *tube(((-22.0, -66.0, 626.0), (0.0, -80.0, 624.0), (22.0, -66.0, 626.0)), 6.0), only=_SOFT)
    canvas.paint("tongue", Ellipsoid((0.0, -44.0, 627.0), (22.0, 30.0, 17.0)), only=_SOFT)
    canvas.paint("sublingual", Ellipsoid((0.0, -60.0, 610.0), (15.0, 13.0, 6.0)), only=_SOFT)
    canvas.paint("lingual_tonsil", Ellipsoid((0.0, -18.0, 620.0), (13.0, 6.0, 8.0)), only=_SOFT)
    canvas.paint("soft_palate", Ellipsoid((0.0, -32.0, 653.0), (16.0, 14.0, 5.0)), only=_SOFT)
    canvas.paint("larynx", Ellipsoid((0.0, -12.0, 574.0), (17.0, 15.0, 17.0)), only=_SOFT)
    size = build.scale["thyroid"]
    for side, name in SIDES.items():
        canvas.paint(f"tonsil_{name}", Ellipsoid(mirrored((19.0, -20.0, 636.0), side), (6.5, 7.5, 12.0)), only=_SOFT)
        lobe = Ellipsoid(mirrored((14.5, -12.0, 551.0), side), (8.5 * size, 9.0 * size, 19.0 * size))
        canvas.paint("thyroid", lobe, only=_SOFT)


_SOFT = (*MUSCLES, "fat", "visceral_fat", "skin", "tongue", "gingiva", "larynx")


def _paint_brain(canvas: Canvas) -> None:
    def folded(x: Array, y: Array, z: Array) -> Array:
        """Inside the ribbon of cortex, which is folded inwards by three waves and by the midline fissure."""
        depth = -_BRAIN.distance(x, y, z)
        fold = np.sin(x / 7.5 + np.sin(z / 11.0)) + np.sin(y / 8.5 + z / 16.0) + np.sin(z / 8.0 - x / 18.0)
        ribbon = depth - np.float32(11.0) - np.float32(3.2) * fold
        return np.asarray(np.maximum(np.minimum(ribbon, np.abs(x) - np.float32(3.5)), -depth))

    canvas.paint("white_matter", _BRAIN)
    canvas.paint("grey_matter", Region(_BRAIN.bounds, folded))
    for side in (-1, 1):
        canvas.paint("grey_matter", Ellipsoid(mirrored((17.0, 2.0, 742.0), side), (13.0, 26.0, 13.0)))
        canvas.paint("ventricle", Ellipsoid(mirrored((9.0, 8.0, 760.0), side), (5.0, 30.0, 8.0)))
    canvas.paint("cerebellum", Ellipsoid((0.0, 42.0, 694.0), (49.0, 34.0, 25.0)))
    canvas.paint("white_matter", *tube(((0.0, 12.0, 715.0), (0.0, 14.0, 665.0)), 13.0, 8.0))


def paint_airway(canvas: Canvas) -> None:
    """Pharynx, trachea and main bronchi, and the oesophagus behind them."""
    gullet = tube(
        ((0.0, 8.0, 580.0), (4.0, 24.0, 520.0), (4.0, 30.0, 430.0), (8.0, 27.0, 380.0), (14.0, 22.0, 320.0)), 6
    )
    canvas.paint("oesophagus", *gullet[:-1])
    canvas.paint("oesophagus_lower", gullet[-1])
    wall = tube(((0.0, -12.0, 600.0), (0.0, 0.0, 520.0), (0.0, 12.0, 455.0)), 11.0)
    canvas.paint("muscle", *wall, only=("fat", "visceral_fat"))
    throat = ((0.0, -20.0, 672.0), (0.0, -8.0, 640.0), (0.0, -14.0, 590.0), (0.0, -6.0, 555.0))
    canvas.paint("airway", *tube(throat, 8.0, 7.0))
    canvas.paint("trachea", *tube(((0.0, -6.0, 555.0), (0.0, 0.0, 520.0), (0.0, 12.0, 452.0)), 8.5))
    for side in SIDES:
        canvas.paint("trachea", *tube([mirrored(p, side) for p in ((0.0, 12.0, 455.0), (40.0, 18.0, 425.0))], 7.0, 5.0))
