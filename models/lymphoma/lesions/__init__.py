"""Lesions: connected components and their measures."""

from lymphoma.lesions.components import label_lesions
from lymphoma.lesions.measures import LesionMeasures, measure_lesions
from lymphoma.lesions.totals import TotalMeasures, measure_totals

__all__ = ["LesionMeasures", "TotalMeasures", "label_lesions", "measure_lesions", "measure_totals"]
