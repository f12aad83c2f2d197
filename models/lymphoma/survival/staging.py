"""What the lesions' sites suggest for stage and extranodal organs; for a person to confirm, never used by an index.

Ann Arbor in the Lugano reading (Cheson, J Clin Oncol 2014;32:3059): I one nodal region or one extranodal lesion; II
several regions on one side of the diaphragm, or one with contiguous extension; III both sides, or nodes above and the
spleen; IV disseminated extranodal disease. A scan cannot tell contiguous extension from dissemination, nor marrow from
bone: where that decides, it is a doubt that the suggestion names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lymphoma.anatomy.stations import LYMPHATIC_STATIONS, Site, plain_organ

__all__ = ["StagingSuggestion", "extranodal_word", "suggest_staging"]

Roman = Literal["I", "II", "III", "IV"]

_WORDS: dict[str, str] = {
    "vertebrae": "bone", "rib": "bone", "hip": "bone", "sacrum": "bone", "femur": "bone", "humerus": "bone",
    "sternum": "bone", "scapula": "bone", "clavicula": "bone", "skull": "bone", "costal_cartilages": "bone",
    "mandible": "bone", "bone": "bone", "skeleton": "bone",
    "small_bowel": "bowel", "duodenum": "bowel", "colon": "bowel", "rectum": "bowel",
    "adrenal_gland": "adrenal", "brain": "cns", "spinal_cord": "cns", "thyroid_gland": "thyroid",
    "tongue": "head_neck", "parotid_gland": "head_neck", "submandibular_gland": "head_neck",
    "sublingual_gland": "head_neck", "larynx": "head_neck", "pharynx": "head_neck",
    "liver": "liver", "lung": "lung", "stomach": "stomach", "kidney": "kidney", "pancreas": "pancreas",
    "breast": "breast", "testis": "testis", "skin": "skin", "pleura": "pleura",
}  # fmt: skip
"""Plain organ -> word of :data:`lymphoma.survival.indices.EXTRANODAL_SITES`; a paired organ is one."""

ALWAYS_FOUR = frozenset(("liver", "lung", "pleura", "cns", "bone_marrow"))
"""Organs whose involvement counts as disseminated however few the nodes are."""
MULTIFOCAL = 3
"""Separate bone lesions from which on PET speaks of marrow [A]."""


@dataclass(frozen=True)
class StagingSuggestion:
    """What a person may confirm.

    Attributes:
        stage: at least this where ``at_least``: a lesion's site is not known. organs: extranodal, as words of the
            clinical record, sorted. why: a sentence. doubts: sentences on what a person must decide.
    """

    stage: Roman
    organs: tuple[str, ...]
    at_least: bool
    why: str
    doubts: tuple[str, ...]


def extranodal_word(organ: str) -> str | None:
    """The clinical record's word for an organ of the map; None for one that it has no word for."""
    return _WORDS.get(plain_organ(organ))


def suggest_staging(sites: Sequence[Site]) -> StagingSuggestion | None:
    """Stage and extranodal organs from the sites of all lesions of a whole-body scan.

    Returns:
        None without a lesion, and where no lesion's site is known.
    """
    nodal = sorted({site.station for site in sites if site.station is not None})
    extranodal = [site for site in sites if site.station is None and site.organ is not None]
    unknown = len(sites) - len([site for site in sites if site.station is not None]) - len(extranodal)
    if not nodal and not extranodal:
        return None
    words = [extranodal_word(site.organ or "") for site in extranodal]
    organs = tuple(sorted({word for word in words if word is not None}))
    doubts: list[str] = []
    if words.count("bone") >= MULTIFOCAL:
        doubts.append(f"{words.count('bone')} bone lesions: PET does not tell bone from bone marrow")
    sides = {_above(station) for station in nodal}
    stage, why = _stage(nodal, sides, extranodal, organs, doubts)
    if unknown:
        doubts.append(f"{unknown} of {len(sites)} lesions could not be placed")
    return StagingSuggestion(stage, organs, bool(unknown) and stage != "IV", why, tuple(doubts))


def _stage(
    nodal: Sequence[str], sides: set[bool], extranodal: Sequence[Site], organs: tuple[str, ...], doubts: list[str]
) -> tuple[Roman, str]:
    if not extranodal:
        if len(sides) > 1:
            return "III", f"{len(nodal)} nodal regions on both sides of the diaphragm"
        side = "above" if True in sides else "below"
        if len(nodal) > 1:
            return "II", f"{len(nodal)} nodal regions {side} the diaphragm"
        return "I", f"one nodal region, {_said(nodal[0])}"
    places = sorted({extranodal_word(site.organ or "") or _said(site.organ or "") for site in extranodal})
    said = ", ".join(_said(place) for place in places)
    if not nodal:
        if len(extranodal) == 1:
            return "I", f"one extranodal lesion, {said}, without nodes"
        return "IV", f"several extranodal lesions: {said}"
    if len(places) > 1 or len(extranodal) > 1 or ALWAYS_FOUR.intersection(organs) or len(sides) > 1:
        if len(places) == 1 and not ALWAYS_FOUR.intersection(organs):
            doubts.append(f"contiguous extension into {said} would be E, not IV")
        return "IV", f"nodes and extranodal disease: {said}"
    doubts.append(f"contiguous extension into {said} would be IIE, separate disease IV")
    return "IV", f"nodes and an extranodal lesion: {said}"


def _above(station: str) -> bool:
    plain = station.removesuffix("_left").removesuffix("_right")
    return LYMPHATIC_STATIONS[plain] in ("head_neck", "thorax")


def _said(name: str) -> str:
    """A name of the maps as a reader would say it."""
    plain = "CNS" if name == "cns" else name.replace("_", " ")
    side = next((side for side in ("left", "right") if plain.endswith(f" {side}")), None)
    return f"{side} {plain.removesuffix(f' {side}')}" if side else plain
