"""Lesion segmentation: fixed thresholds now, networks behind the same interface later."""

from lymphoma.segmentation.contour import GivenContour, lesions_from_contour
from lymphoma.segmentation.delineation import Candidate, Delineation
from lymphoma.segmentation.segmenter import Segmenter
from lymphoma.segmentation.thresholds import ThresholdSegmenter, threshold_segmenter

__all__ = [
    "Candidate",
    "Delineation",
    "GivenContour",
    "Segmenter",
    "ThresholdSegmenter",
    "lesions_from_contour",
    "threshold_segmenter",
]
