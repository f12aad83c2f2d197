"""Organ maps and what they tell: coverage, sites, reference tissues."""

from lymphoma.anatomy.coverage import Coverage, coverage
from lymphoma.anatomy.organs import Anatomy, AnatomyEngine, GivenAnatomy, NoAnatomy
from lymphoma.anatomy.reference import ct_contrast, reference_liver

__all__ = [
    "Anatomy",
    "AnatomyEngine",
    "Coverage",
    "GivenAnatomy",
    "NoAnatomy",
    "coverage",
    "ct_contrast",
    "reference_liver",
]
