"""Where a lesion sits: the extranodal organ it lies in, or else its lymph node station.

Stations follow from landmarks of the organ map: height along the spine, side, and distance to vessels, spleen and
liver. All distances are assumptions [A] of what a reader would call the place; a station is a word for a person to
confirm, not a measurement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume

__all__ = ["LYMPHATIC_STATIONS", "NODAL_STATIONS", "Region", "Site", "plain_organ", "sites_of"]

Region = Literal["head_neck", "thorax", "abdomen", "pelvis"]
Point = npt.NDArray[np.float64]

NODAL_STATIONS: dict[str, Region] = {
    "cervical": "head_neck",
    "supraclavicular": "head_neck",
    "axillary": "thorax",
    "mediastinal": "thorax",
    "hilar": "thorax",
    "cardiophrenic": "thorax",
    "splenic_hilum": "abdomen",
    "portal": "abdomen",
    "paraaortic": "abdomen",
    "mesenteric": "abdomen",
    "iliac": "pelvis",
    "inguinal": "pelvis",
}
"""Lymph node stations and the part of the body that each lies in; the diaphragm is between thorax and abdomen."""
LYMPHATIC_STATIONS: dict[str, Region] = {**NODAL_STATIONS, "waldeyer": "head_neck", "spleen": "abdomen"}
"""With the lymphatic organs, which count as nodal (Cheson, J Clin Oncol 2014;32:3059)."""

MOSTLY = 0.4
"""Share of a lesion and its shell that one organ must hold for the lesion to lie in it; a node only touches it [A]."""
_NEEDED = {"lung": 0.75, "small_bowel": 0.55, "colon": 0.55, "skin": 0.2}
"""Of organs that nodes lie in the midst of (lung, bowel), or that are thin (skin)."""
SHELL_MM = 6.0
WALDEYER_MM = 12.0
SUPRACLAVICULAR_MM = 35.0
"""Height below the lowest cervical vertebra that still counts as supraclavicular [A]."""
HILAR_MM = (22.0, 70.0)
"""Distance from the spine's line, side to side, of a hilar node [A]."""
RETROPERITONEAL_MM = 28.0
"""From the wall of aorta or vena cava [A]."""
HILUM_MM = 22.0
"""From spleen or liver hilum [A]."""
GROIN_MM = 12.0
"""Below the top of the femoral heads: above it the external iliac nodes go on [A]."""
CARDIOPHRENIC_MM = 30.0
"""Height above the heart's lowest slice [A]."""
PAIRED = frozenset(("cervical", "supraclavicular", "axillary", "hilar", "iliac", "inguinal", "waldeyer"))

_TISSUE = re.compile(
    r"(subcutaneous_fat|soft_tissue|.*(artery|vein|vena|aorta|vessel|gluteus|iliopsoas|autochthon|pectoralis"
    r"|masseter|sternocleidomastoid|muscle|forearm).*|esophagus|trachea)"
)
"""Names of the organ map that are the bed of nodes, not an organ that lymphoma is said to involve."""
_WHOLES = ("lung", "vertebrae", "rib", "heart", "kidney", "adrenal_gland", "skull", "costal_cartilages")
_LYMPHATIC_ORGANS = {"spleen": "spleen", "tonsil": "waldeyer", "lingual_tonsil": "waldeyer", "soft_palate": "waldeyer"}


@dataclass(frozen=True)
class Site:
    """Where one lesion sits.

    Attributes:
        number: of the lesion. organ: that it lies in, as the organ map calls it; None for nodes.
        station: of :data:`LYMPHATIC_STATIONS`, with ``_left`` or ``_right`` where paired; None in an extranodal organ
            and where the landmarks are not in view.
        region: None where not even the height is known.
    """

    number: int
    organ: str | None
    station: str | None
    region: Region | None


def sites_of(anatomy: Anatomy, lesion_map: Volume) -> tuple[Site, ...]:
    """The site of every lesion, in the order of their numbers.

    Args:
        lesion_map: labels 1..n on the grid of the organ map.
    """
    count = int(lesion_map.array.max())
    if anatomy.organs is None:
        return tuple(Site(number, None, None, None) for number in range(1, count + 1))
    marks = _Landmarks(anatomy, anatomy.organs)
    held = _organs_held(anatomy, anatomy.organs, lesion_map.array, count)
    centres = ndimage.center_of_mass(lesion_map.array > 0, lesion_map.array, range(1, count + 1)) if count else []
    return tuple(
        _site(number, organ, np.asarray(lesion_map.points_mm(np.array(centre)), dtype=np.float64), marks)
        for number, organ, centre in zip(range(1, count + 1), held, centres, strict=True)
    )


def _organs_held(anatomy: Anatomy, organs: Volume, lesions: npt.NDArray[np.generic], count: int) -> list[str | None]:
    """The organ that each lesion lies in, by its name in the map; None for those between organs.

    An organ map may count a lesion's own voxels to the organ or leave them out: lesion and the shell of
    :data:`SHELL_MM` around it are looked at together, without the voxels that no organ claims inside the lesion.
    """
    plain = sorted({plain_organ(name) for name in anatomy.names.values()})
    of_label = np.zeros(int(organs.array.max()) + 1, dtype=np.int64)
    for label, name in anatomy.names.items():
        if label < len(of_label) and not _TISSUE.fullmatch(plain_organ(name)):
            of_label[label] = plain.index(plain_organ(name)) + 1
    reach = np.maximum(1, np.round(SHELL_MM / organs.spacing_mm[::-1])).astype(int)
    ball = np.ones(2 * reach + 1, dtype=bool)
    held: list[str | None] = []
    for number, box in enumerate(ndimage.find_objects(lesions, max_label=count), start=1):
        if box is None:
            held.append(None)
            continue
        wide = tuple(slice(max(0, e.start - r), e.stop + r) for e, r in zip(box, reach, strict=True))
        lesion = lesions[wide] == number
        around = ndimage.binary_dilation(lesion, ball)
        found = of_label[organs.array[wide]]
        counted = found[around & (~lesion | (found > 0))]
        share = np.bincount(counted, minlength=len(plain) + 1) / max(len(counted), 1)
        share[0] = 0.0
        best = int(share.argmax())
        if not best or share[best] < _NEEDED.get(plain[best - 1], MOSTLY):
            held.append(None)
            continue
        labels = organs.array[wide][around & (found == best)]
        held.append(anatomy.names[int(np.bincount(labels.astype(np.int64)).argmax())])
    return held


def plain_organ(name: str) -> str:
    """An organ map's name without side, level or lobe: "rib_left" is a rib, "lung_upper_lobe_left" a lung."""
    for whole in _WHOLES:
        if name.startswith(whole):
            return whole
    return name.removesuffix("_left").removesuffix("_right")


def _site(number: int, organ: str | None, centre_mm: Point, marks: _Landmarks) -> Site:
    region = marks.region(centre_mm)
    lymphatic = None if organ is None else _LYMPHATIC_ORGANS.get(plain_organ(organ))
    if lymphatic is not None:
        return Site(number, organ, _sided(lymphatic, centre_mm, marks), region)
    if organ is not None:
        return Site(number, organ, None, region)
    station = None if region is None else _STATION_IN[region](centre_mm, marks)
    if station is None:
        return Site(number, None, None, region)
    return Site(number, None, _sided(station, centre_mm, marks), LYMPHATIC_STATIONS[station])


def _sided(station: str, centre_mm: Point, marks: _Landmarks) -> str:
    if station not in PAIRED:
        return station
    return f"{station}_{'left' if centre_mm[0] > marks.midline_mm(centre_mm) else 'right'}"


class _Landmarks:
    """Heights and surfaces of one patient's organs, each found when it is first asked for."""

    def __init__(self, anatomy: Anatomy, organs: Volume) -> None:
        self.anatomy = anatomy
        self._organs = organs
        self._boxes = ndimage.find_objects(organs.array)

    @cached_property
    def cervical_end_mm(self) -> float | None:
        """Height of the lowest cervical vertebra."""
        return self._extent("vertebrae_C", 2, max_=False)

    @cached_property
    def diaphragm_mm(self) -> float | None:
        """Height of the middle of the diaphragm: the heart's lowest slice, else the liver's highest."""
        heart = self._extent("heart", 2, max_=False)
        return heart if heart is not None else self._extent("liver", 2, max_=True)

    @cached_property
    def pelvic_brim_mm(self) -> float | None:
        """Height of the top of the sacrum, else the lower end of the lumbar spine."""
        top = self._extent("sacrum", 2, max_=True)
        return top if top is not None else self._extent("vertebrae_L", 2, max_=False)

    @cached_property
    def groin_mm(self) -> float | None:
        """Height of the top of the femoral heads."""
        return self._extent("femur", 2, max_=True)

    @cached_property
    def heart_end_mm(self) -> float | None:
        return self._extent("heart", 2, max_=False)

    def region(self, centre_mm: Point) -> Region | None:
        """By height; None where no border near it is in view."""
        borders: tuple[tuple[Region, float | None], ...] = (
            ("head_neck", self.cervical_end_mm),
            ("thorax", self.diaphragm_mm),
            ("abdomen", self.pelvic_brim_mm),
        )
        if all(height is None for _, height in borders):
            return None
        for region, height in borders:
            if height is not None and centre_mm[2] >= height:
                return region
        return "pelvis" if self.pelvic_brim_mm is not None else None

    def midline_mm(self, centre_mm: Point) -> float:
        """x of the spine at this height, else of its nearest part."""
        spine = self._tree("vertebrae", "sacrum", "skull")
        if spine is None:
            return float(self._organs.points_mm((np.array(self._organs.array.shape) - 1) / 2)[0])
        points = np.asarray(spine.data)
        near = np.abs(points[:, 2] - centre_mm[2])
        return float(np.median(points[near <= near.min() + 15.0, 0]))

    def distance_mm(self, centre_mm: Point, *prefixes: str) -> float:
        """From the lesion's centre to the nearest voxel of these organs; infinite without them."""
        tree = self._tree(*prefixes)
        return np.inf if tree is None else float(tree.query(centre_mm)[0])

    def beside_the_chest(self, centre_mm: Point) -> bool:
        """Lateral of the lungs as they are near this height, where the axilla lies."""
        lungs = self._tree("lung")
        if lungs is None:
            return False
        points = np.asarray(lungs.data)
        near = np.abs(points[:, 2] - centre_mm[2])
        row = points[near <= near.min() + 10.0, 0]
        return bool(centre_mm[0] < row.min() - 5.0 or centre_mm[0] > row.max() + 5.0)

    def _labels(self, prefixes: Iterable[str]) -> list[int]:
        return [
            label
            for label, name in self.anatomy.names.items()
            if any(name.startswith(prefix) for prefix in prefixes)
            and label <= len(self._boxes)
            and self._boxes[label - 1] is not None
        ]

    def _extent(self, prefix: str, axis: int, *, max_: bool) -> float | None:
        """Highest or lowest coordinate (mm) of these organs' boxes along an axis of patient space."""
        corners: list[float] = []
        for label in self._labels([prefix]):
            box = self._boxes[label - 1]
            for end in ([edge.start for edge in box], [edge.stop - 1 for edge in box]):
                corners.append(float(self._organs.points_mm(np.array(end, dtype=float))[axis]))
        return (max(corners) if max_ else min(corners)) if corners else None

    def _tree(self, *prefixes: str) -> cKDTree | None:
        if prefixes not in self._trees:
            self._trees[prefixes] = self._grow(prefixes)
        return self._trees[prefixes]

    @cached_property
    def _trees(self) -> dict[tuple[str, ...], cKDTree | None]:
        return {}

    def _grow(self, prefixes: Sequence[str]) -> cKDTree | None:
        parts = []
        for label in self._labels(prefixes):
            box = self._boxes[label - 1]
            inside = np.argwhere(self._organs.array[box] == label)[:: _thinning(self._organs, label, box)]
            parts.append(self._organs.points_mm(inside + np.array([edge.start for edge in box])))
        return cKDTree(np.concatenate(parts)) if parts else None


MOST_POINTS = 4000


def _thinning(organs: Volume, label: int, box: tuple[slice, ...]) -> int:
    """Every how manieth voxel of an organ is kept: some thousands tell its surface to a few millimetres."""
    return max(1, int(np.count_nonzero(organs.array[box] == label)) // MOST_POINTS)


def _in_head_neck(centre_mm: Point, marks: _Landmarks) -> str:
    if marks.distance_mm(centre_mm, "tonsil", "lingual_tonsil", "soft_palate") <= WALDEYER_MM:
        return "waldeyer"
    return "cervical"


def _in_thorax(centre_mm: Point, marks: _Landmarks) -> str:
    neck_end, off = marks.cervical_end_mm, abs(centre_mm[0] - marks.midline_mm(centre_mm))
    if marks.beside_the_chest(centre_mm):
        return "axillary"
    if neck_end is not None and centre_mm[2] >= neck_end - SUPRACLAVICULAR_MM and off > HILAR_MM[0]:
        return "supraclavicular"
    if HILAR_MM[0] <= off <= HILAR_MM[1] and marks.distance_mm(centre_mm, "pulmonary_artery") <= HILAR_MM[1]:
        return "hilar"
    low = marks.heart_end_mm
    if low is not None and centre_mm[2] <= low + CARDIOPHRENIC_MM and off > HILAR_MM[0]:
        return "cardiophrenic"
    return "mediastinal"


def _in_abdomen(centre_mm: Point, marks: _Landmarks) -> str:
    if marks.distance_mm(centre_mm, "iliac") <= min(RETROPERITONEAL_MM, marks.distance_mm(centre_mm, "aorta")):
        return "iliac"
    if marks.distance_mm(centre_mm, "aorta", "inferior_vena_cava") <= RETROPERITONEAL_MM:
        return "paraaortic"
    if marks.distance_mm(centre_mm, "spleen") <= HILUM_MM:
        return "splenic_hilum"
    if marks.distance_mm(centre_mm, "portal_vein") <= HILUM_MM or marks.distance_mm(centre_mm, "liver") <= HILUM_MM:
        return "portal"
    return "mesenteric"


def _in_pelvis(centre_mm: Point, marks: _Landmarks) -> str:
    groin = marks.groin_mm
    return "inguinal" if groin is not None and centre_mm[2] <= groin - GROIN_MM else "iliac"


_STATION_IN: dict[Region, Callable[[Point, _Landmarks], str | None]] = {
    "head_neck": _in_head_neck,
    "thorax": _in_thorax,
    "abdomen": _in_abdomen,
    "pelvis": _in_pelvis,
}
