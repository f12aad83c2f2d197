"""Survival: the clinical factors, published indices, models, curves and their evaluation."""
