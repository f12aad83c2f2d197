"""Further series of a virtual study, such as scanners send along and a node has to pass over."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from lymphoma.imaging.volume import Volume
from lymphoma.simulation import VirtualPatient
from pydicom import Dataset
from scipy import ndimage

from nodal.dicom.write_common import StudyFrame
from nodal.dicom.write_ct import ct_instances, scout_instance
from nodal.dicom.write_habits import Habit
from nodal.dicom.write_pet import pet_instances

__all__ = ["EXTRAS", "extra_series"]

_BODY_SUV = 0.1
_ATTENUATION_MM = 1 / 104.0  # water at 511 keV


EXTRAS = ("NAC", "CTLUNG", "SCOUT")
"""Folders of the series without attenuation correction, of the CT with a sharp kernel, and of the localizer."""


def extra_series(patient: VirtualPatient, frame: StudyFrame, habit: Habit) -> Iterator[tuple[str, Iterator[Dataset]]]:
    """(folder, instances) of each, made one after the other."""
    yield "NAC", pet_instances(patient, frame, habit, attenuated=_attenuated(patient.pet_suv))
    yield "CTLUNG", ct_instances(patient, frame, habit, sharp=_sharpened(patient.ct_hu))
    yield "SCOUT", iter((scout_instance(patient, frame, habit),))


def _attenuated(suv: Volume) -> Volume:
    """As without attenuation correction: darker with depth under the skin, a picture of it and no more [A]."""
    depth = np.stack([ndimage.distance_transform_edt(plane > _BODY_SUV, suv.spacing_mm[1::-1]) for plane in suv.array])
    return suv.with_array(np.asarray(suv.array * np.exp(-_ATTENUATION_MM * depth), dtype=np.float32))


def _sharpened(ct_hu: Volume) -> Volume:
    """Edges and noise raised, as a lung kernel does."""
    values = ct_hu.array.astype(np.float32)
    smooth = ndimage.gaussian_filter(values, (0.0, 1.2, 1.2))
    return ct_hu.with_array(np.clip(np.rint(values + 1.2 * (values - smooth)), -1024, 3071).astype(np.int16))
