"""The way from PET and CT to lesions: the same for a study of the node and for a patient that a system learns from."""

from __future__ import annotations

from dataclasses import dataclass, field

from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.organs import Anatomy, AnatomyEngine, NoAnatomy
from lymphoma.imaging.registration import Verdict
from lymphoma.imaging.volume import Volume
from lymphoma.scan_range.check import check
from lymphoma.scan_range.features import scan_features
from lymphoma.segmentation.delineation import Delineation
from lymphoma.segmentation.segmenter import Segmenter
from lymphoma.segmentation.thresholds import threshold_segmenter
from lymphoma.training.statistics import RangeStatistics, RangeVerdict

__all__ = ["Delineated", "Tools", "delineate"]


@dataclass(frozen=True, eq=False)
class Tools:
    """What a study is delineated with.

    Attributes:
        anatomy: finds the organs. drawn_by: the segmenter that was asked for. plain: draws where the scan is unlike
            those that the networks learned from, or where ``drawn_by`` needs organs and there are none.
        statistics: of the scans that the networks learned from; None leaves the range unchecked.
    """

    anatomy: AnatomyEngine = field(default_factory=NoAnatomy)
    drawn_by: Segmenter = field(default_factory=lambda: threshold_segmenter("suv4"))
    plain: Segmenter = field(default_factory=lambda: threshold_segmenter("suv4"))
    statistics: RangeStatistics | None = None


@dataclass(frozen=True, eq=False)
class Delineated:
    """What came of it.

    Attributes:
        verdict: how the scan stands to the statistics; None where it was not checked. drawn_by: who drew in the end.
    """

    anatomy: Anatomy
    verdict: RangeVerdict | None
    drawn_by: Segmenter
    delineation: Delineation


def delineate(
    suv: Volume,
    ct_hu: Volume,
    tools: Tools,
    uptake_minutes: float | None = None,
    registered: Verdict | None = None,
) -> Delineated:
    """Organs, the range of the scan, lesions.

    Args:
        suv, ct_hu: on one grid; SUV in g/mL, HU. uptake_minutes: from injection to scan; None where not known.
        registered: what the registration of the CT to the PET came to.

    Raises:
        NotComputable: the codes of the engines.
    """
    anatomy = tools.anatomy.find(suv, ct_hu)
    verdict = None
    if tools.statistics is not None and anatomy.organs is not None:
        seen = scan_features(suv, ct_hu, shipped_classes().of(anatomy), uptake_minutes, registered)
        verdict = check(seen, tools.statistics)
    unlike = verdict is not None and verdict.range == "outside"
    without = tools.drawn_by.needs_organs and anatomy.organs is None
    drawn_by = tools.plain if unlike or without else tools.drawn_by
    return Delineated(anatomy, verdict, drawn_by, drawn_by.segment(suv, ct_hu, anatomy))
