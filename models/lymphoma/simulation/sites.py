"""The organs and site groups that features are kept for, in a fixed order, whoever names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lymphoma.simulation.stations import PLACES

__all__ = ["GROUPS", "ORGANS", "FeatureOrgan", "group_of_place", "group_of_station", "organ_index"]


@dataclass(frozen=True)
class FeatureOrgan:
    """An organ of the feature vector, made of one or several structures of an organ map.

    Attributes:
        parts: names of structures, whole or the first words ("lung_upper_lobe" means its left one in "_left").
        side: only structures whose name ends so; None takes all.
        height_mm: usual height of its centre above the middle of the thigh in a body of 970 mm from there to the
            vertex, for organs that tell where in the body a scan is [A]; None for the others.
    """

    name: str
    parts: tuple[str, ...]
    side: str | None = None
    height_mm: float | None = None

    def covers(self, structure: str) -> bool:
        """Whether a structure of an organ map is part of this organ."""
        if self.side is not None and not structure.endswith(f"_{self.side}"):
            return False
        return any(structure == part or structure.startswith(f"{part}_") for part in self.parts)


ORGANS: tuple[FeatureOrgan, ...] = (
    FeatureOrgan("brain", ("brain",), height_mm=880.0),
    FeatureOrgan("tonsil", ("tonsil", "tonsils")),
    FeatureOrgan("parotid", ("parotid", "parotid_gland")),
    FeatureOrgan("thyroid", ("thyroid_gland", "thyroid"), height_mm=710.0),
    FeatureOrgan("lung_left", ("lung",), "left"),
    FeatureOrgan("lung_right", ("lung",), "right"),
    FeatureOrgan("heart", ("heart",), height_mm=535.0),
    FeatureOrgan("aorta", ("aorta",)),
    FeatureOrgan("liver", ("liver",), height_mm=425.0),
    FeatureOrgan("spleen", ("spleen",), height_mm=430.0),
    FeatureOrgan("pancreas", ("pancreas",)),
    FeatureOrgan("stomach", ("stomach",)),
    FeatureOrgan("bowel", ("small_bowel", "colon", "duodenum")),
    FeatureOrgan("kidney_left", ("kidney",), "left", height_mm=365.0),
    FeatureOrgan("kidney_right", ("kidney",), "right", height_mm=350.0),
    FeatureOrgan("bladder", ("urinary_bladder",), height_mm=150.0),
    FeatureOrgan("muscle", ("autochthon", "iliopsoas", "gluteus", "skeletal_muscle")),
    FeatureOrgan("vertebrae", ("vertebrae",)),
    FeatureOrgan("pelvis", ("hip", "sacrum")),
    FeatureOrgan("femur", ("femur",)),
)
"""Organs of the feature vector; their order is part of every saved table."""

GROUPS: tuple[str, ...] = (
    *("head_neck", "thorax", "abdomen", "pelvis"),
    *("spleen", "bone", "lung", "liver_pancreas", "gut", "other_extranodal"),
)
"""Where a lesion lies: nodes by region, then organs."""

_GROUP_OF_ORGAN: Mapping[str, str] = {
    "spleen": "spleen",
    **dict.fromkeys(("bone", "bone_marrow", "marrow", "vertebrae", "pelvis", "femur"), "bone"),
    **dict.fromkeys(("lung", "pleura", "lung_left", "lung_right"), "lung"),
    **dict.fromkeys(("liver", "pancreas"), "liver_pancreas"),
    **dict.fromkeys(("stomach", "bowel"), "gut"),
    **dict.fromkeys(("head_neck", "tonsil", "parotid", "thyroid"), "head_neck"),
}
_REGION_FROM = ((0.735, "head_neck"), (0.50, "thorax"), (0.27, "abdomen"))


def organ_index(names: Mapping[int, str]) -> dict[int, int]:
    """Label of an organ map -> index in :data:`ORGANS`, for the labels that belong to one."""
    found: dict[int, int] = {}
    for label, structure in names.items():
        for index, organ in enumerate(ORGANS):
            if organ.covers(structure):
                found[label] = index
                break
    return found


def group_of_station(station: str) -> int:
    """Index in :data:`GROUPS` of a station of generator A."""
    place = PLACES.get(station)
    if place is None or place.site == station:
        region = "other_extranodal" if place is None or place.organ else str(place.region)
        return GROUPS.index(_GROUP_OF_ORGAN.get(station, region))
    return GROUPS.index(_GROUP_OF_ORGAN.get(place.site, "other_extranodal"))


def group_of_place(organ: str | None, height: float) -> int:
    """Index in :data:`GROUPS` from what surrounds a lesion, where no station is known.

    Args:
        organ: name in :data:`ORGANS` of the organ that makes up most of its surroundings; None for none.
        height: 0 at the middle of the thigh, 1 at the vertex.
    """
    if organ is not None and organ in _GROUP_OF_ORGAN:
        return GROUPS.index(_GROUP_OF_ORGAN[organ])
    return GROUPS.index(next((name for least, name in _REGION_FROM if height >= least), "pelvis"))
