"""The features of thousands of patients in columns: lesions one after another, with where each patient begins."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.features import LesionFeatures, OrganFeatures, PatientFeatures
from lymphoma.survival.clinical import ClinicalFactors

__all__ = ["FeatureTable", "join_tables", "stack_features"]

Array = npt.NDArray[np.float32]
_LESION = tuple(field.name for field in dataclasses.fields(LesionFeatures))
_ORGAN = tuple(field.name for field in dataclasses.fields(OrganFeatures))


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Patients in a fixed order; P patients, N lesions of all, K organs.

    Attributes:
        lesions: arrays of shape (N,). organs: arrays of shape (P, K). starts: int64, shape (P + 1,); the lesions of
            patient p are ``starts[p]:starts[p + 1]``. size_mm: shape (P, 3). dmax_mm, sdmax_per_m: shape (P,).
    """

    patient_ids: tuple[str, ...]
    clinical: tuple[ClinicalFactors, ...]
    starts: npt.NDArray[np.int64]
    lesions: LesionFeatures
    organs: OrganFeatures
    size_mm: Array
    dmax_mm: Array
    sdmax_per_m: Array

    def __len__(self) -> int:
        return len(self.patient_ids)

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """Number of lesions of each patient."""
        return np.diff(self.starts)

    @cached_property
    def owner(self) -> npt.NDArray[np.int64]:
        """The patient of each lesion, shape (N,)."""
        return np.repeat(np.arange(len(self)), self.counts)

    @cached_property
    def tmtv_ml(self) -> npt.NDArray[np.float64]:
        """Sum of the volumes of each patient, 0 without lesions."""
        return self.pooled(self.lesions.volume_ml, np.add, 0.0)

    def pooled(self, values: npt.ArrayLike, how: np.ufunc, empty: float = np.nan) -> npt.NDArray[np.float64]:
        """``how.reduce`` (np.add, np.maximum...) of a lesion column over each patient, shape (P,).

        Args:
            empty: the value of a patient without lesions.
        """
        values = np.asarray(values, dtype=np.float64)
        some = self.counts > 0
        result = np.full(len(self), empty)
        if some.any():
            result[some] = how.reduceat(values, self.starts[:-1][some])
        return result

    def mean(self, values: npt.ArrayLike, empty: float = np.nan) -> npt.NDArray[np.float64]:
        """Mean of a lesion column over each patient, shape (P,)."""
        total = self.pooled(values, np.add, 0.0) / np.maximum(self.counts, 1)
        return np.where(self.counts > 0, total, empty)

    def clinical_column(self, value: Callable[[ClinicalFactors], float | None]) -> npt.NDArray[np.float64]:
        """A number of each clinical record, NaN where not known, shape (P,)."""
        found = (value(record) for record in self.clinical)
        return np.array([np.nan if number is None else number for number in found], dtype=np.float64)

    def patient(self, index: int) -> PatientFeatures:
        """The features of one patient."""
        low, high = int(self.starts[index]), int(self.starts[index + 1])
        x_mm, y_mm, z_mm = (float(edge) for edge in self.size_mm[index])
        return PatientFeatures(
            patient_id=self.patient_ids[index],
            clinical=self.clinical[index],
            lesions=LesionFeatures(*(getattr(self.lesions, name)[low:high] for name in _LESION)),
            organs=OrganFeatures(*(getattr(self.organs, name)[index] for name in _ORGAN)),
            size_mm=(x_mm, y_mm, z_mm),
            dmax_mm=float(self.dmax_mm[index]),
            sdmax_per_m=float(self.sdmax_per_m[index]),
        )

    def save(self, path: Path | BinaryIO) -> None:
        """Writes an ``.npz``."""
        np.savez_compressed(
            path,
            patient_ids=np.array(self.patient_ids),
            clinical=np.array([json.dumps(dataclasses.asdict(record)) for record in self.clinical]),
            starts=self.starts,
            size_mm=self.size_mm,
            dmax_mm=self.dmax_mm,
            sdmax_per_m=self.sdmax_per_m,
            **{f"lesion_{name}": getattr(self.lesions, name) for name in _LESION},
            **{f"organ_{name}": getattr(self.organs, name) for name in _ORGAN},
        )

    @classmethod
    def load(cls, path: Path | BinaryIO) -> FeatureTable:
        """Reads what :meth:`save` wrote; nothing in it is executed."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(
                patient_ids=tuple(str(name) for name in stored["patient_ids"]),
                clinical=tuple(_record(str(text)) for text in stored["clinical"]),
                starts=stored["starts"],
                lesions=LesionFeatures(*(stored[f"lesion_{name}"] for name in _LESION)),
                organs=OrganFeatures(*(stored[f"organ_{name}"] for name in _ORGAN)),
                size_mm=stored["size_mm"],
                dmax_mm=stored["dmax_mm"],
                sdmax_per_m=stored["sdmax_per_m"],
            )


def stack_features(patients: Sequence[PatientFeatures]) -> FeatureTable:
    """A table of patients, in their order; at least one."""
    return FeatureTable(
        patient_ids=tuple(patient.patient_id for patient in patients),
        clinical=tuple(patient.clinical for patient in patients),
        starts=np.concatenate(([0], np.cumsum([patient.count for patient in patients]))).astype(np.int64),
        lesions=LesionFeatures(
            *(np.concatenate([getattr(patient.lesions, name) for patient in patients]) for name in _LESION)
        ),
        organs=OrganFeatures(*(np.stack([getattr(patient.organs, name) for patient in patients]) for name in _ORGAN)),
        size_mm=np.array([patient.size_mm for patient in patients], dtype=np.float32),
        dmax_mm=np.array([patient.dmax_mm for patient in patients], dtype=np.float32),
        sdmax_per_m=np.array([patient.sdmax_per_m for patient in patients], dtype=np.float32),
    )


def join_tables(tables: Sequence[FeatureTable]) -> FeatureTable:
    """One table of all patients, in the order of the tables; at least one."""
    return FeatureTable(
        patient_ids=tuple(name for table in tables for name in table.patient_ids),
        clinical=tuple(record for table in tables for record in table.clinical),
        starts=np.concatenate(([0], np.cumsum(np.concatenate([table.counts for table in tables])))).astype(np.int64),
        lesions=LesionFeatures(
            *(np.concatenate([getattr(table.lesions, name) for table in tables]) for name in _LESION)
        ),
        organs=OrganFeatures(*(np.concatenate([getattr(table.organs, name) for table in tables]) for name in _ORGAN)),
        size_mm=np.concatenate([table.size_mm for table in tables]),
        dmax_mm=np.concatenate([table.dmax_mm for table in tables]),
        sdmax_per_m=np.concatenate([table.sdmax_per_m for table in tables]),
    )


def _record(text: str) -> ClinicalFactors:
    fields = json.loads(text)
    sites = fields["extranodal_sites"]
    return ClinicalFactors(**{**fields, "extranodal_sites": None if sites is None else tuple(sites)})
