"""Where lymphoma sits: nodal stations and extranodal organs, with anchor points in the reference body.

Anchor points are (x, y, z) in mm of the reference body (see :mod:`lymphoma.simulation.frame`), given for the patient's
left where the station is paired. The weights are assumptions: no source gives incidences by station.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EXTRANODAL", "PLACES", "STATIONS", "Station"]

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Station:
    """A place of disease.

    Attributes:
        weight: relative frequency. most_ml: the largest single lesion drawn there, mL.
        into: organs, or tissues, that a lesion here may replace besides fat and muscle.
    """

    name: str
    weight: float
    most_ml: float
    anchors: tuple[Point, ...]
    paired: bool = True
    into: tuple[str, ...] = ()


_LUNGS = ("lung_left", "lung_right")
_SPINE = ("vertebrae",)

STATIONS: tuple[Station, ...] = (
    Station("cervical", 0.45, 40, ((36, 8, 604), (36, 16, 582))),
    Station("supraclavicular", 0.35, 40, ((62, -4, 541), (50, -10, 548))),
    Station("axillary", 0.35, 90, ((148, 6, 452), (146, -8, 425), (145, 16, 470))),
    Station("mediastinal", 0.40, 350, ((14, -48, 455), (22, -20, 475), (16, -40, 430)), into=_LUNGS),
    Station("hilar", 0.15, 25, ((46, 10, 428),), into=_LUNGS),
    Station("mesenteric", 0.35, 400, ((26, -40, 140), (12, -48, 118)), into=("small_bowel",)),
    Station("paraaortic", 0.50, 400, ((30, 2, 165), (28, 4, 130), (32, 2, 195))),
    Station("iliac", 0.35, 120, ((52, 12, 70), (62, -12, 32))),
    Station("inguinal", 0.30, 50, ((72, -66, -22), (78, -62, -40))),
    Station("spleen", 0.20, 60, ((104, 38, 268),), paired=False, into=("spleen",)),
)

EXTRANODAL: tuple[Station, ...] = (
    Station("bone", 0.35, 35, ((0, 30, 180), (0, 44, 270), (0, 58, 400)), paired=False, into=_SPINE),
    Station("pelvis_bone", 0.20, 40, ((90, 45, 85),), into=("hip_left", "hip_right")),
    Station("liver", 0.15, 80, ((-88, -8, 268), (-70, 20, 240)), paired=False, into=("liver",)),
    Station("lung", 0.15, 40, ((82, 10, 440), (86, 30, 400)), into=_LUNGS),
    Station("stomach", 0.25, 120, ((62, -62, 262), (50, -66, 240)), paired=False, into=("stomach",)),
)

PLACES: dict[str, Station] = {station.name: station for station in (*STATIONS, *EXTRANODAL)}
