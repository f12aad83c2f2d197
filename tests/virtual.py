"""Small virtual studies for tests: a whole body in coarse voxels, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pydicom
from lymphoma.simulation import Protocol, build_patient, draw_patient
from nodal.dicom.write import WrittenStudy, write_study
from pydicom import Dataset
from pydicom.uid import generate_uid

SMALL = Protocol(pet_spacing_mm=(6.0, 6.0, 8.0), pet_matrix=112, ct_spacing_mm=(5.0, 5.0, 8.0), ct_matrix=128)
"""A whole body in about 140 PET slices of 112 x 112 and 140 CT slices of 128 x 128."""

Edit = Mapping[str, Any] | Callable[[Dataset], None]


def small_virtual_study(
    folder: Path,
    seed: int = 1,
    lesions: int | None = 3,
    *,
    pet: Edit | None = None,
    ct: Edit | None = None,
    drop_pet: tuple[int, ...] = (),
    drop_ct: tuple[int, ...] = (),
    protocol: Protocol = SMALL,
    per_slice_slope: bool = True,
) -> WrittenStudy:
    """Writes ``folder/NODAL-V-<seed>/{dicom,truth}``.

    Args:
        pet, ct: edits of every instance: keyword -> value (None removes the attribute), or a function of the data set.
        drop_pet, drop_ct: indices (head first) of slices to leave out.
    """
    patient = build_patient(draw_patient(seed, lesions=lesions), protocol)
    study = write_study(patient, folder, per_slice_slope=per_slice_slope)
    if pet is not None:
        edit_files(study.pet, pet)
    if ct is not None:
        edit_files(study.ct, ct)
    for paths, dropped in ((study.pet, drop_pet), (study.ct, drop_ct)):
        for index in dropped:
            paths[index].unlink()
    return study


def edit_files(paths: tuple[Path, ...], edit: Edit) -> None:
    """Changes data sets on disk."""
    for path in paths:
        dataset = pydicom.dcmread(path)
        _apply(dataset, edit)
        dataset.save_as(path)


def add_series(study: WrittenStudy, name: str, edit: Edit, *, like: str = "PT", every: int = 1) -> tuple[Path, ...]:
    """A further series in the study's folder, made from its PET or CT by ``edit``, under a new series UID.

    Such as a series without attenuation correction: ``add_series(study, "NAC", {"CorrectedImage": ["DECY"],
    "SeriesDescription": "NAC"})``, or a scout: ``like="CT", every=1000``.
    """
    target = study.dicom / name
    target.mkdir()
    series_uid = generate_uid(prefix="2.25.", entropy_srcs=[study.study_instance_uid, name])
    made = []
    for path in (study.pet if like == "PT" else study.ct)[::every]:
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = series_uid
        dataset.SOPInstanceUID = generate_uid(prefix="2.25.", entropy_srcs=[dataset.SOPInstanceUID, name])
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        _apply(dataset, edit)
        dataset.save_as(target / path.name)
        made.append(target / path.name)
    return tuple(made)


def _apply(dataset: Dataset, edit: Edit) -> None:
    if callable(edit):
        edit(dataset)
        return
    for keyword, value in edit.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
