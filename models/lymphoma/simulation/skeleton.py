"""The skeleton of the reference body: cortex and marrow of skull base to femora."""

from __future__ import annotations

import numpy as np

from lymphoma.simulation.build import Arm, Build
from lymphoma.simulation.frame import Canvas
from lymphoma.simulation.outline import CAGE, spine_y
from lymphoma.simulation.shapes import Array, Capsule, Ellipsoid, Region, mirrored, rotation, tube
from lymphoma.simulation.tissues import MUSCLES, SIDES

__all__ = ["paint_skeleton"]

# lower plate of L5 upwards to the top of C1: 5 lumbar, 12 thoracic, 7 cervical vertebrae
_LEVELS = {"L": (97.0, 262.0), "T": (262.0, 548.0), "C": (548.0, 655.0)}
_PLATES = np.concatenate([np.linspace(97, 262, 6)[:-1], np.linspace(262, 548, 13)[:-1], np.linspace(548, 655, 8)])


def paint_skeleton(canvas: Canvas, build: Build) -> None:
    """All bones; organs of the trunk are painted before it, so that bone covers what it crosses."""
    _paint_ribs(canvas)
    _paint_spine(canvas)
    for (side, name), arm in zip(SIDES.items(), build.arms, strict=True):
        _paint_shoulder(canvas, side, name, arm.raised)
        _paint_arm(canvas, name, arm)
    _paint_pelvis(canvas)
    for side, name in SIDES.items():
        _paint_femur(canvas, side, f"femur_{name}")


def _paint_spine(canvas: Canvas) -> None:
    def size(z: Array) -> Array:
        return np.asarray(np.interp(z, (97, 262, 400, 548, 655), (25, 20, 16, 11.5, 10)), dtype=np.float32)

    def phase(z: Array) -> Array:
        return np.asarray(np.interp(z, _PLATES, np.arange(len(_PLATES))) % 1.0, dtype=np.float32)

    def body(x: Array, y: Array, z: Array) -> Array:
        a = size(z)
        b = np.float32(0.74) * a
        waist = 1 - np.float32(0.10) * np.sin(np.pi * phase(z))
        level = np.sqrt((x / (a * waist)) ** 2 + ((y - spine_y(z)) / (b * waist)) ** 2)
        return np.asarray((level - 1) * b)

    def vertebra(x: Array, y: Array, z: Array) -> Array:
        length = np.asarray(np.interp(z, (97, 262, 548, 655), (33, 26, 18, 15)), dtype=np.float32)
        plate = np.maximum(0.17 - phase(z), phase(z) - 0.99) * length
        return np.asarray(np.maximum(body(x, y, z), plate))

    def arch(x: Array, y: Array, z: Array) -> Array:
        a = size(z)
        back = y - spine_y(z) - np.float32(0.74) * a - np.float32(9)
        ring = np.abs(np.sqrt(x**2 + back**2) - np.float32(13)) - np.float32(3.5)
        spinous = np.maximum(np.abs(x) - 3.2, np.abs(back - 24) - 14)
        transverse = np.maximum(np.abs(back - 1) - 4, np.abs(np.abs(x) - a) - 13)
        open_part = (np.float32(0.35) - phase(z)) * 30
        return np.asarray(
            np.maximum(np.minimum(ring, np.maximum(np.minimum(spinous, transverse), open_part)), -back - 9)
        )

    canvas.paint("disc", Region(((-60.0, -20.0, 97.0), (60.0, 140.0, 655.0)), body))
    for region, (low, high) in _LEVELS.items():
        stretch = ((-60.0, -20.0, low), (60.0, 140.0, high))
        canvas.paint_bone(f"vertebrae_{region}", Region(stretch, vertebra), rim_mm=2.5)
        canvas.paint_bone(f"vertebrae_{region}", Region(stretch, arch), rim_mm=3.0)
    # an assumption: atlas and axis are drawn like the other cervical vertebrae
    z = np.arange(110.0, 672.0, 24.0)
    a = np.interp(z, (97, 262, 400, 548, 655), (25, 20, 16, 11.5, 10))
    y = spine_y(z.astype(np.float32)) + 0.74 * a + 9
    canvas.paint("fat", *tube([(0.0, float(v), float(w)) for v, w in zip(y, z, strict=True)], 8.0, 8.0))
    canvas.paint("spinal_cord", *tube([(0.0, float(v), float(w)) for v, w in zip(y, z, strict=True)], 4.5, 6.0))


def _paint_ribs(canvas: Canvas) -> None:
    """Twelve pairs as slanted stripes of the cage's shell; in front cartilage and the sternum."""
    pitch, lowest, highest = np.float32(25.6), 262.0, 570.0

    def slanted(x: Array, y: Array, z: Array) -> Array:
        """Height above the lowest rib's course; a rib falls from the spine outwards and forwards."""
        fall = np.float32(0.28) * np.abs(x) + np.float32(0.40) * (np.float32(95) - y)
        return np.asarray(z + fall - np.float32(lowest))

    def rib(x: Array, y: Array, z: Array) -> Array:
        height = slanted(x, y, z)
        off = (height / pitch - np.floor(height / pitch) - np.float32(0.5)) * pitch
        round_section = np.sqrt(((CAGE.distance(x, y, z) + 4.5) / 4.5) ** 2 + (off / 7.0) ** 2)
        margin = np.where(y < 0, 322 - 1.05 * np.abs(x), 205)
        ends = np.maximum(np.maximum(-height, height - (highest - lowest)), margin - z)
        return np.asarray(np.maximum((round_section - 1) * 4.5, ends))

    for side, name in SIDES.items():

        def half(x: Array, y: Array, z: Array, side: int = side) -> Array:
            return np.asarray(np.maximum(rib(x, y, z), np.float32(-side) * x))

        near, far = sorted((side * 0.01, side * 150.0))
        canvas.paint_bone(f"rib_{name}", Region(((near, -120.0, 200.0), (far, 120.0, 556.0)), half), rim_mm=2.2)

    def costal(x: Array, y: Array, z: Array) -> Array:
        return np.asarray(np.maximum(np.maximum(rib(x, y, z), np.abs(x) - 62), y + 20))

    canvas.paint("cartilage", Region(((-62.0, -120.0, 240.0), (62.0, 0.0, 520.0)), costal))

    def sternum(x: Array, y: Array, z: Array) -> Array:
        width = np.interp(z, (322, 345, 440, 480, 518), (8, 17, 15, 24, 30)).astype(np.float32)
        return np.asarray(np.maximum(np.maximum(np.abs(CAGE.distance(x, y, z) + 4) - 6, np.abs(x) - width), y + 5))

    canvas.paint_bone("sternum", Region(((-32.0, -120.0, 322.0), (32.0, 0.0, 518.0)), sternum), rim_mm=2.0)


def _paint_shoulder(canvas: Canvas, side: int, name: str, raised: bool) -> None:
    lift = 18.0 if raised else 0.0
    collar = [(16.0, -52.0, 520.0), (60.0, -42.0, 535.0), (105.0, -10.0, 534.0 + lift), (148.0, 8.0, 532.0 + lift)]
    canvas.paint_bone(f"clavicula_{name}", *tube([mirrored(p, side) for p in collar], 6.5), rim_mm=2.5)
    blade = rotation("z", -side * 34.0) @ rotation("y", side * (22.0 if raised else 6.0))
    canvas.paint_bone(
        f"scapula_{name}",
        Ellipsoid((side * 112.0, 74.0, 450.0 + lift), (40.0, 5.0, 62.0), blade),
        *tube([mirrored(p, side) for p in ((100.0, 84.0, 490.0 + lift), (150.0, 40.0, 520.0 + lift))], 6.0),
        rim_mm=2.5,
    )


def _paint_arm(canvas: Canvas, name: str, arm: Arm) -> None:
    bone = f"humerus_{name}"
    canvas.paint("joint", Ellipsoid(arm.shoulder, (28, 28, 28)), only=MUSCLES)
    canvas.paint_bone(bone, *tube((arm.shoulder, arm.elbow), 11.5, 10.0), rim_mm=4.5)
    canvas.paint_bone(bone, Ellipsoid(arm.shoulder, (24, 24, 24)))
    for off in (-9.0, 9.0):
        ends = [(x + off, y + 0.5 * off, z) for x, y, z in (arm.elbow, arm.wrist)]
        canvas.paint_bone(f"forearm_{name}", *tube(ends, 7.5, 6.5), rim_mm=3.5)


def _paint_pelvis(canvas: Canvas) -> None:
    def sacrum(x: Array, y: Array, z: Array) -> Array:
        width = np.interp(z, (-25, 0, 40, 97), (9, 20, 42, 52)).astype(np.float32)
        depth = np.interp(z, (-25, 0, 40, 97), (6, 9, 15, 20)).astype(np.float32)
        centre = spine_y(z) + np.float32(0.0009) * x**2
        return np.asarray((np.sqrt((x / width) ** 2 + ((y - centre) / depth) ** 2) - 1) * depth)

    canvas.paint_bone("sacrum", Region(((-55.0, 15.0, -25.0), (55.0, 110.0, 97.0)), sacrum), rim_mm=2.5)
    for side, name in SIDES.items():

        def wing(x: Array, y: Array, z: Array, side: int = side) -> Array:
            u = side * x
            flare = np.asarray(np.interp(z, (0, 30, 80, 128), (84, 90, 108, 124)), dtype=np.float32)
            shell = np.abs(np.sqrt((u / flare) ** 2 + ((y - 18) / 84) ** 2) - 1) * 84 - 6
            limits = np.maximum(np.maximum(40 - u, z - (128 - 0.0035 * (y - 10) ** 2)), -52 + 0.25 * (90 - z) - y)
            return np.asarray(np.maximum(shell, np.maximum(limits, y - 88)))

        canvas.paint_bone(
            f"hip_{name}",
            Region(((-135.0, -75.0, 0.0), (135.0, 110.0, 130.0)), wing),
            Ellipsoid(mirrored((86.0, 4.0, 8.0), side), (33.0, 34.0, 34.0)),
            *tube([mirrored(p, side) for p in ((82.0, 22.0, 0.0), (66.0, 38.0, -48.0))], 16.0, 15.0),
            *tube([mirrored(p, side) for p in ((80.0, -18.0, 5.0), (42.0, -46.0, -2.0), (12.0, -52.0, -20.0))], 10.0),
            *tube([mirrored(p, side) for p in ((64.0, 34.0, -55.0), (12.0, -46.0, -34.0))], 8.0),
            rim_mm=2.5,
        )


def _paint_femur(canvas: Canvas, side: int, name: str) -> None:
    head = mirrored((88.0, 0.0, 2.0), side)
    canvas.paint("joint", Ellipsoid(head, (27.0, 27.0, 27.0)))
    neck = Capsule(head, mirrored((128.0, 6.0, -30.0), side), 16.0, 17.0)
    trochanter = Ellipsoid(mirrored((130.0, 10.0, -30.0), side), (19.0, 20.0, 24.0))
    shaft = tube([mirrored(p, side) for p in ((126.0, 6.0, -45.0), (112.0, 0.0, -180.0), (98.0, -4.0, -330.0))], 17, 13)
    canvas.paint_bone(name, *shaft, rim_mm=6.5)
    canvas.paint_bone(name, Ellipsoid(head, (24.0, 24.0, 24.0)), neck, trochanter, rim_mm=2.5)
