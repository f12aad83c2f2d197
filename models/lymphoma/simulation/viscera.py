"""Organs of the abdomen and pelvis of the reference body."""

from __future__ import annotations

import numpy as np

from lymphoma.simulation.build import Build
from lymphoma.simulation.chest import diaphragm
from lymphoma.simulation.frame import Canvas
from lymphoma.simulation.outline import CAGE, CAVITY
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.shapes import Array, Ellipsoid, Point, Region, mirrored, rotation, tube
from lymphoma.simulation.tissues import LUNGS, MUSCLES, SIDES

__all__ = ["COLON", "paint_abdomen", "paint_pelvic_organs", "ureter_course"]

COLON: tuple[str, ...] = ("ascending", "transverse", "descending", "sigmoid", "rectum")
_WALLS, _CONTENTS = (tuple(f"colon_{part}_{layer}" for part in COLON) for layer in ("wall", "content"))
_ABDOMEN = (
    "visceral_fat", "jejunum", "ileum", "duodenum", *_WALLS, *_CONTENTS, "colon_gas", "stomach_wall", "stomach_fluid",
    "stomach_gas", *LUNGS, "blood", "portal_vein", "pancreas", "heart_ventricle_right", "heart_atrium_right",
)  # fmt: skip


def paint_abdomen(canvas: Canvas, build: Build) -> None:
    """Bowel, stomach, pancreas, kidneys, spleen, liver, and the muscles in front of the spine."""
    for side, name in SIDES.items():
        psoas = ((20.0, 34.0, 250.0), (36.0, 34.0, 160.0), (52.0, 18.0, 80.0), (76.0, -18.0, 10.0), (92.0, 0.0, -50.0))
        canvas.paint(f"iliopsoas_{name}", *tube([mirrored(p, side) for p in psoas], 14.0, 18.0))
    _paint_bowel(canvas, build)
    _paint_stomach(canvas, build)
    head = build.points("pancreas", ((-32.0, -22.0, 196.0), (0.0, -24.0, 212.0), (78.0, 22.0, 244.0)))
    canvas.paint("pancreas", *tube(head, 16.0, 11.0), only=_ABDOMEN)
    loop = (
        (2.0, -44.0, 224.0), (-40.0, -38.0, 222.0), (-54.0, -22.0, 204.0), (-50.0, -14.0, 168.0), (-14.0, -14.0, 158.0),
        (24.0, -16.0, 168.0), (32.0, -32.0, 184.0),
    )  # fmt: skip
    canvas.paint("duodenum", *tube(build.points("pancreas", loop), 11.0, 10.0), only=(*_ABDOMEN, *MUSCLES))
    portal = ((88.0, 28.0, 252.0), (20.0, -8.0, 216.0), (-8.0, -12.0, 212.0), (-34.0, -20.0, 244.0))
    canvas.paint("portal_vein", *tube(build.points("pancreas", portal), 4.5, 7.0), only=_ABDOMEN)
    canvas.paint("portal_vein", *tube(((-6.0, -16.0, 208.0), (2.0, -30.0, 130.0)), 5.5, 4.5), only=_ABDOMEN)
    for side, name in SIDES.items():
        _paint_kidney(canvas, build, side, name)
    if build.kidneys == "horseshoe":
        bridge = ((-44.0, 22.0, 140.0), (0.0, -22.0, 126.0), (44.0, 22.0, 150.0))
        canvas.paint("kidney_right", *tube(bridge[:2], 15.0, 10.0))
        canvas.paint("kidney_left", *tube(bridge[1:], 10.0, 15.0))
    _paint_upper(canvas, build)


def _paint_stomach(canvas: Canvas, build: Build) -> None:
    for radii, tissue in (((40.0, 34.0, 44.0), "stomach_wall"), ((33.0, 27.0, 37.0), "stomach_fluid")):
        fundus = build.ellipsoid("stomach", (60.0, -34.0, 268.0), radii)
        antrum = build.ellipsoid("stomach", (36.0, -56.0, 226.0), (radii[0] * 0.9, radii[1] - 12, radii[2] - 22))
        canvas.paint(tissue, fundus, antrum, only=_ABDOMEN)
    gas = build.ellipsoid("stomach", (60.0, -52.0, 282.0), (22.0, 12.0, 26.0))
    canvas.paint("stomach_gas", gas, only=("stomach_fluid",))


def _paint_upper(canvas: Canvas, build: Build) -> None:
    """Spleen and liver under the diaphragm."""

    def under_diaphragm(solid: Ellipsoid) -> Region:
        def level(x: Array, y: Array, z: Array) -> Array:
            inside = np.maximum(CAGE.distance(x, y, z) + 10, z - diaphragm(x, y, build) + 3)
            return np.asarray(np.maximum(solid.distance(x, y, z), inside))

        return Region(solid.bounds, level)

    canvas.paint("spleen", under_diaphragm(build.ellipsoid("spleen", (104.0, 40.0, 268.0), (34.0, 45.0, 62.0))))
    right = build.ellipsoid("liver", (-74.0, -8.0, 262.0), (76.0, 92.0, 92.0), rotation("y", -12.0))
    left = build.ellipsoid("liver", (-4.0, -52.0, 292.0), (80.0, 44.0, 40.0), rotation("y", 14.0))
    canvas.paint("liver", under_diaphragm(right), under_diaphragm(left), only=_ABDOMEN)
    hilum = build.moved("liver", (-30.0, -22.0, 246.0))
    for tip in ((-86.0, -2.0, 268.0), (-70.0, 24.0, 296.0), (-10.0, -50.0, 288.0)):
        canvas.paint("portal_vein", *tube((hilum, build.moved("liver", tip)), 5.0, 2.5), only=("liver",))
    for tip in ((-84.0, 10.0, 296.0), (-50.0, -40.0, 304.0)):
        canvas.paint("vena_cava", *tube(((-22.0, -4.0, 326.0), build.moved("liver", tip)), 4.5, 2.5), only=("liver",))
    if build.gallbladder:
        canvas.paint(
            "gallbladder",
            build.ellipsoid("liver", (-62.0, -56.0, 212.0), (15.0, 17.0, 28.0)),
            only=(*_ABDOMEN, "liver"),
        )


def _kidney_height(build: Build, side: int) -> float:
    drop = 45.0 if build.kidneys == "ptotic" and side < 0 else 14.0 if build.kidneys == "horseshoe" else 0.0
    return (208.0 if side > 0 else 192.0) - drop


def ureter_course(build: Build, side: int) -> list[Point]:
    """From the renal pelvis to the bladder, through reference points in mm."""
    height = _kidney_height(build, side)
    way = ((48.0, 34.0, height - 14), (40.0, 24.0, 140.0), (42.0, 18.0, 90.0), (48.0, 24.0, 40.0), (20.0, 8.0, 6.0))
    return [mirrored(point, side) for point in way]


def _paint_kidney(canvas: Canvas, build: Build, side: int, name: str) -> None:
    organ = f"kidney_{name}"
    height = _kidney_height(build, side)
    turn = rotation("y", side * 14.0) @ rotation("z", side * 32.0)
    centre = (side * 64.0, 44.0, height)
    usual = 208.0 if side > 0 else 192.0
    canvas.paint(f"adrenal_{name}", Ellipsoid((side * 40.0, 26.0, usual + 58), (5.0, 12.0, 15.0)))
    canvas.paint("visceral_fat", build.ellipsoid(organ, centre, (36.0, 34.0, 64.0), turn), only=MUSCLES)
    canvas.paint(organ, build.ellipsoid(organ, centre, (28.0, 26.0, 57.0), turn))
    canvas.paint("visceral_fat", build.ellipsoid(organ, (side * 49.0, 36.0, height), (11.0, 8.0, 22.0)))
    canvas.paint(f"renal_pelvis_{name}", build.ellipsoid(organ, (side * 53.0, 38.0, height), (8.0, 6.0, 14.0)))
    canvas.paint(f"ureter_{name}", *tube(ureter_course(build, side), 2.8))


def _paint_bowel(canvas: Canvas, build: Build) -> None:
    def loops(x: Array, y: Array, z: Array) -> Array:
        field = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.float32)
        for kx, ky, kz, phase in build.waves.astype(np.float32):
            field += np.cos(kx * x + ky * y + kz * z + phase)
        around = np.sqrt((x / 98) ** 2 + ((y + 42) / 44) ** 2 + ((z - 108) / 80) ** 2) - 1
        return np.asarray(np.maximum(np.maximum(np.abs(field) - np.float32(1.25), around), CAVITY.level(x, y, z)))

    def upper_left(x: Array, y: Array, z: Array) -> Array:
        return np.asarray(112 - z - 0.5 * x + 0 * y, dtype=np.float32)

    bounds = ((-100.0, -90.0, 28.0), (100.0, 5.0, 190.0))
    canvas.paint("ileum", Region(bounds, loops), only=("visceral_fat",))
    canvas.paint("jejunum", Region(bounds, upper_left), only=("ileum",))
    frame = (
        (-92.0, -28.0, 66.0), (-98.0, -18.0, 130.0), (-92.0, -26.0, 196.0), (-50.0, -66.0, 176.0), (10.0, -72.0, 164.0),
        (66.0, -60.0, 188.0), (102.0, -4.0, 236.0), (104.0, 12.0, 160.0), (100.0, -2.0, 92.0), (70.0, -14.0, 54.0),
        (30.0, 14.0, 62.0), (6.0, 36.0, 44.0), (0.0, 44.0, 10.0), (0.0, 40.0, -45.0),
    )  # fmt: skip
    path = [
        (x + float(dx), y + float(dy), z + float(dz))
        for (x, y, z), (dx, dy, dz) in zip(build.points("colon", frame), build.colon_mm, strict=True)
    ]
    pieces = tube(path, 21.0, 15.0)
    stretches = dict(zip(COLON, ((0, 2), (2, 6), (6, 9), (9, 11), (11, 13)), strict=True))
    free = ("visceral_fat", "fat", *MUSCLES, "jejunum", "ileum")
    for part, (first, last) in stretches.items():
        canvas.paint(f"colon_{part}_wall", *pieces[first:last], only=free)
    for part, (first, last) in stretches.items():
        own = tube(path, 16.5, 10.5)[first:last]
        canvas.paint(f"colon_{part}_content", *own, only=_WALLS)
    gas = [(x, y - 8, z) for x, y, z in path[2:9]]
    canvas.paint("colon_gas", *tube(gas, 9.0, 8.0), only=_CONTENTS)


def paint_pelvic_organs(canvas: Canvas, build: Build, plan: PatientPlan) -> None:
    """Bladder, and the organs of sex."""
    size = build.scale["bladder"]
    if plan.person.sex == "M":
        canvas.paint("prostate", Ellipsoid((0.0, -4.0, -26.0), (23.0, 19.0, 19.0)))
        for side, name in SIDES.items():
            canvas.paint(f"testis_{name}", Ellipsoid((side * 15.0, -66.0, -106.0 - 4 * side), (11.0, 13.0, 20.0)))
    else:
        if build.uterus:
            canvas.paint("uterus", Ellipsoid((0.0, 10.0, 40.0), (24.0, 22.0, 32.0), rotation("x", 35.0)))
            canvas.paint("endometrium", Ellipsoid((0.0, 11.0, 42.0), (9.0, 4.5, 18.0), rotation("x", 35.0)))
        for side, name in SIDES.items():
            canvas.paint(f"ovary_{name}", Ellipsoid((side * 42.0, 6.0, 50.0 + 4 * side), (9.0, 8.0, 13.0)))
    canvas.paint("bladder", build.ellipsoid("bladder", (0.0, -26.0, 2.0 + 22 * size), (40.0, 32.0, 30.0)))
