"""Ann Arbor stage in the Lugano reading, from the sites of a planned disease."""

from __future__ import annotations

from typing import Literal

from lymphoma.simulation.disease import Disease
from lymphoma.simulation.stations import PLACES, REGIONS, Region

__all__ = ["extranodal_organs", "stage_of"]

Stage = Literal[1, 2, 3, 4]
ALWAYS_FOUR = ("liver", "lung", "pleura", "cns", "bone_marrow")
"""Organs whose involvement is disseminated even when nodes are few (Cheson, J Clin Oncol 2014;32:3059)."""
MULTIFOCAL = 3
"""From this number of separate bone lesions on, PET calls it marrow involvement [A]."""


def extranodal_organs(disease: Disease) -> tuple[str, ...]:
    """Involved extranodal organs, sorted; diffuse or multifocal bone disease is "bone_marrow", otherwise "bone"."""
    organs = [PLACES[lesion.station].organ for lesion in disease.lesions]
    found = {organ for organ in organs if organ is not None}
    if disease.marrow_suv is not None or organs.count("bone") >= MULTIFOCAL:
        found = (found - {"bone"}) | {"bone_marrow"}
    return tuple(sorted(found))


def stage_of(disease: Disease) -> Stage | None:
    """Stage I to IV; None without disease.

    I is one lymphatic region, or one lesion of one organ (IE). II is several regions on one side of the diaphragm, or
    nodes beside one lesion of one organ in the same part of the body (IIE). III has nodes on both sides, or nodes above
    and the spleen. IV has several organs, an organ apart from the nodes or in several places, or liver, lung, pleura,
    central nervous system or marrow; a single lesion that is all there is stays I. A lymphatic region is a station on
    one side of the body.
    """
    nodal = {
        (lesion.station, lesion.side if PLACES[lesion.station].paired else 0)
        for lesion in disease.lesions
        if PLACES[lesion.station].organ is None
    }
    if disease.spleen_suv is not None:
        nodal.add(("spleen", 0))
    organs = extranodal_organs(disease)
    lesions = [lesion for lesion in disease.lesions if PLACES[lesion.station].organ is not None]
    if not nodal and not organs:
        return None
    sides = {PLACES[name].above for name, _ in nodal}
    if not organs:
        return 3 if len(sides) > 1 else 2 if len(nodal) > 1 else 1
    if not nodal:
        return 1 if len(lesions) == 1 and not disease.marrow_suv else 4
    if len(organs) > 1 or organs[0] in ALWAYS_FOUR or len(lesions) > 1 or len(sides) > 1:
        return 4
    home = PLACES[lesions[0].station].region
    return 2 if any(_near(PLACES[name].region, home) for name, _ in nodal) else 4


def _near(one: Region, other: Region) -> bool:
    """The same part of the body, or the next on the same side of the diaphragm."""
    a, b = REGIONS.index(one), REGIONS.index(other)
    return a == b or (abs(a - b) == 1 and {a, b} != {1, 2})
