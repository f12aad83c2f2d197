"""Volumes and what is done to them before any medicine: resampling, the body's outline, alignment."""

from lymphoma.imaging.alignment import pet_ct_shift_mm
from lymphoma.imaging.body import body_mask, head_axis
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume

__all__ = ["Volume", "body_mask", "head_axis", "pet_ct_shift_mm", "resample_like"]
