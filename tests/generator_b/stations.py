"""Where lymphoma sits: nodal chains as curves with neighbours, and organs; assumptions [A]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.generator_b.geometry import curve

__all__ = ["CHAINS", "ORGANS", "Chain", "OrganSite", "spread"]

Points = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Chain:
    """A nodal chain in the standard body's space.

    Attributes:
        region: name for stage; sides count as regions of their own. above: over the diaphragm. start: chance that the
            disease begins here, relative to the others. neighbours: chains to which it spreads.
    """

    name: str
    above: bool
    start: float
    course: Points
    neighbours: tuple[str, ...]

    def points(self) -> npt.NDArray[np.float64]:
        """Places along the chain every 4 mm, shape (n, 3)."""
        return curve(self.course, 4.0)


@dataclass(frozen=True)
class OrganSite:
    """An organ that lymphoma may enter. ``counts_for`` is the clinic's word for the site, None for nodal tissue."""

    structures: tuple[str, ...]
    counts_for: str | None
    weight: float


def _sided(name: str, above: bool, start: float, course: Points, near: tuple[str, ...]) -> tuple[Chain, Chain]:
    """A chain on the left and its mirror image; "~" in a neighbour stands for the side."""
    left, right = "left", "right"
    mirror = tuple((-x, y, z) for x, y, z in course)
    return (
        Chain(f"{name}_{left}", above, start, course, tuple(n.replace("~", left) for n in near)),
        Chain(f"{name}_{right}", above, start, mirror, tuple(n.replace("~", right) for n in near)),
    )


CHAINS = {
    chain.name: chain
    for chain in (
        *_sided("cervical", True, 1.3, ((44, 2, 1552), (40, 4, 1515), (38, 8, 1475)), ("supraclavicular_~",)),
        *_sided(
            "supraclavicular",
            True,
            0.8,
            ((40, 0, 1462), (58, 4, 1452), (76, 8, 1450)),
            ("cervical_~", "axillary_~", "mediastinal"),
        ),
        *_sided("axillary", True, 0.9, ((136, 16, 1408), (130, 8, 1388), (124, 2, 1362)), ("supraclavicular_~",)),
        Chain(
            "mediastinal",
            True,
            1.2,
            ((-12, -12, 1412), (-16, 2, 1390), (2, 20, 1366), (4, 24, 1340)),
            ("supraclavicular_left", "supraclavicular_right", "hilar_left", "hilar_right", "thymic", "coeliac"),
        ),
        Chain("thymic", True, 0.5, ((-10, -50, 1392), (8, -56, 1366), (14, -62, 1338)), ("mediastinal",)),
        *_sided("hilar", True, 0.3, ((36, 10, 1356), (44, 10, 1338)), ("mediastinal",)),
        Chain(
            "coeliac",
            False,
            0.5,
            ((-20, -8, 1166), (4, -8, 1178), (22, 0, 1172)),
            ("paraaortic", "mesenteric", "mediastinal"),
        ),
        Chain(
            "mesenteric",
            False,
            1.1,
            ((6, -26, 1104), (12, -38, 1072), (-8, -48, 1036), (-24, -44, 1012)),
            ("paraaortic", "coeliac"),
        ),
        Chain(
            "paraaortic",
            False,
            1.6,
            ((20, 0, 1168), (22, -4, 1120), (16, -2, 1078), (-24, -2, 1100)),
            ("coeliac", "mesenteric", "iliac_left", "iliac_right"),
        ),
        *_sided(
            "iliac",
            False,
            0.7,
            ((28, 14, 1034), (46, 18, 996), (64, 0, 952), (76, -26, 920)),
            ("paraaortic", "inguinal_~"),
        ),
        *_sided("inguinal", False, 0.8, ((84, -56, 892), (86, -58, 866), (84, -54, 838)), ("iliac_~",)),
    )
}

ORGANS = (
    OrganSite(("spleen",), None, 0.18),
    OrganSite(("vertebrae_*", "hip_*", "sacrum", "sternum", "rib_*", "femur_*"), "bone marrow", 0.22),
    OrganSite(("stomach",), "gastrointestinal", 0.09),
    OrganSite(("small_bowel", "colon"), "gastrointestinal", 0.08),
    OrganSite(("tonsil_left", "tonsil_right"), None, 0.06),
    OrganSite(("liver",), "liver", 0.07),
    OrganSite(("lung_*",), "lung", 0.09),
    OrganSite(("kidney_left", "adrenal_gland_left"), "kidney", 0.03),
    OrganSite(("adrenal_gland_right",), "adrenal", 0.03),
    OrganSite(("subcutaneous_fat",), "skin", 0.05),
    OrganSite(("muscles", "gluteus_maximus_left"), "soft tissue", 0.06),
    OrganSite(("thyroid_gland_left", "thyroid_gland_right"), "thyroid", 0.02),
    OrganSite(("prostate", "uterus"), "genital", 0.02),
    OrganSite(("brain",), "CNS", 0.01),
)


def spread(rng: np.random.Generator, steps: int) -> list[str]:
    """The chain of each nodal lesion: a walk that stays, moves to a neighbour or, seldom, leaps.

    Args:
        steps: how many lesions.
    """
    names = sorted(CHAINS)
    weights = np.array([CHAINS[name].start for name in names])
    at = str(rng.choice(names, p=weights / weights.sum()))
    reached, path = {at}, []
    for _ in range(steps):
        path.append(at)
        turn = rng.random()
        if turn < 0.34:
            at = str(rng.choice(sorted(CHAINS[at].neighbours)))
        elif turn < 0.52:
            at = str(rng.choice(names, p=weights / weights.sum()))
        elif turn < 0.66:
            at = str(rng.choice(sorted(reached)))
        reached.add(at)
    return path
