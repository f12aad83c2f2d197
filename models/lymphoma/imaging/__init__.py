"""Volumes and what is done to them before any medicine: resampling, profiles, projections."""

from lymphoma.imaging.volume import Volume

__all__ = ["Volume"]
