"""Solids given by a distance: negative inside, in mm of the reference body, near enough to true near the surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Bounds", "Capsule", "Ellipsoid", "Point", "Region", "Shape", "mirrored", "rotation", "tube"]

Array = npt.NDArray[np.float32]
Point = tuple[float, float, float]
Bounds = tuple[Point, Point]


class Shape(Protocol):
    """A solid: where it can be (lowest and highest corner), and its signed distance at points that broadcast."""

    @property
    def bounds(self) -> Bounds: ...

    def distance(self, x: Array, y: Array, z: Array) -> Array: ...


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """Ellipsoid; ``turn`` holds its axes as columns."""

    centre: Point
    radii: Point
    turn: npt.NDArray[np.float64] | None = None

    @property
    def bounds(self) -> Bounds:
        half = self.radii
        if self.turn is not None:
            half = tuple(np.sqrt(((self.turn * np.asarray(self.radii)) ** 2).sum(axis=1)).tolist())
        (x, y, z), (a, b, c) = self.centre, half
        return (x - a, y - b, z - c), (x + a, y + b, z + c)

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """First-order distance |u|(|u|-1)/|v| with u = p/r and v = p/r^2."""
        offset = (x - np.float32(self.centre[0]), y - np.float32(self.centre[1]), z - np.float32(self.centre[2]))
        axes = offset
        if self.turn is not None:
            turn = self.turn.astype(np.float32)
            axes = (
                turn[0, 0] * offset[0] + turn[1, 0] * offset[1] + turn[2, 0] * offset[2],
                turn[0, 1] * offset[0] + turn[1, 1] * offset[1] + turn[2, 1] * offset[2],
                turn[0, 2] * offset[0] + turn[1, 2] * offset[1] + turn[2, 2] * offset[2],
            )
        first = sum((axis / np.float32(r)) ** 2 for axis, r in zip(axes, self.radii, strict=True))
        second = sum((axis / np.float32(r * r)) ** 2 for axis, r in zip(axes, self.radii, strict=True))
        level = np.sqrt(first)
        return np.asarray(level * (level - np.float32(1)) / np.maximum(np.sqrt(second), np.float32(1e-6)))


@dataclass(frozen=True)
class Capsule:
    """A rod from ``start`` to ``end`` with round ends; its radius goes linearly from one to the other."""

    start: Point
    end: Point
    radius: float
    end_radius: float

    @property
    def bounds(self) -> Bounds:
        low = [min(a - self.radius, b - self.end_radius) for a, b in zip(self.start, self.end, strict=True)]
        high = [max(a + self.radius, b + self.end_radius) for a, b in zip(self.start, self.end, strict=True)]
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        axis = np.asarray(self.end, dtype=np.float32) - np.asarray(self.start, dtype=np.float32)
        px, py, pz = (value - np.float32(s) for value, s in zip((x, y, z), self.start, strict=True))
        along = (px * axis[0] + py * axis[1] + pz * axis[2]) / max(float(axis @ axis), 1e-6)
        along = np.clip(along, 0, 1).astype(np.float32)
        away = np.sqrt((px - along * axis[0]) ** 2 + (py - along * axis[1]) ** 2 + (pz - along * axis[2]) ** 2)
        return np.asarray(away - (self.radius + along * np.float32(self.end_radius - self.radius)))


@dataclass(frozen=True)
class Region:
    """Any solid by a function; its value need only have the right sign where no rim is asked for."""

    bounds: Bounds
    level: Callable[[Array, Array, Array], Array]

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        return self.level(x, y, z)


def tube(points: Sequence[Point], radius: float, end_radius: float | None = None) -> tuple[Capsule, ...]:
    """A bent tube through ``points``, as capsules."""
    last = radius if end_radius is None else end_radius
    step = (last - radius) / max(len(points) - 1, 1)
    return tuple(Capsule(a, b, radius + n * step, radius + (n + 1) * step) for n, (a, b) in enumerate(pairwise(points)))


def mirrored(point: Point, side: int) -> Point:
    """The point on the patient's left (+1) or right (-1)."""
    return (side * point[0], point[1], point[2])


def rotation(about: str, degrees: float) -> npt.NDArray[np.float64]:
    """A right-handed turn about the axis "x", "y" or "z"."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[about]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = cosine
    turn[first, second], turn[second, first] = -sine, sine
    return turn
