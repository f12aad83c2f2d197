"""A virtual patient as NIfTI files: the pair of a cohort folder, with its truth beside."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.simulation.patient import VirtualPatient
from lymphoma.simulation.plan import GENERATOR

__all__ = ["save_nifti", "truth_of"]

_SUV_STEP = 1.0 / 1024.0


def truth_of(patient: VirtualPatient) -> dict[str, object]:
    """Plan, grid, lesions and avid findings that are no lymphoma, for a JSON file."""
    return {
        "generator": GENERATOR,
        "plan": dataclasses.asdict(patient.plan),
        "protocol": dataclasses.asdict(patient.protocol),
        "scanner": dataclasses.asdict(patient.plan.scan.model),
        "lesions": [dataclasses.asdict(lesion) for lesion in patient.lesions],
        "confusers": [dataclasses.asdict(spot) for spot in patient.confusers],
        "tmtv_ml": round(sum(lesion.volume_ml for lesion in patient.lesions), 3),
    }


def save_nifti(patient: VirtualPatient, folder: Path) -> None:
    """Writes ``pet_suv``, ``ct_hu`` (on the PET grid), ``lesions``, ``organs`` (.nii.gz), their names, and the plan.

    The same patient gives the same bytes. SUV is written in steps of 1/1024, far below the noise, so that it packs.
    Every file says in its header that the patient is virtual.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stepped = np.rint(patient.pet_suv.array / np.float32(_SUV_STEP)) * np.float32(_SUV_STEP)
    volumes = {
        "pet_suv": patient.pet_suv.with_array(stepped.astype(np.float32)),
        "ct_hu": _ct_on_pet(patient),
        "lesions": patient.lesion_map,
        "organs": patient.organs,
    }
    mark = f"NODAL VIRTUAL {GENERATOR} seed {patient.plan.seed}"
    for name, volume in volumes.items():
        _write(volume, folder / f"{name}.nii.gz", mark)
    names = {str(label): name for label, name in sorted(patient.names.items())}
    for name, content in (("organs", names), ("patient", truth_of(patient))):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _ct_on_pet(patient: VirtualPatient) -> Volume:
    if patient.ct_hu.same_grid(patient.pet_suv):
        return patient.ct_hu
    smooth = patient.ct_hu.with_array(patient.ct_hu.array.astype(np.float32))
    there = resample_like(smooth, patient.pet_suv, fill=-1024, interpolation="linear")
    return there.with_array(np.rint(there.array).astype(np.int16))


def _write(volume: Volume, path: Path, mark: str) -> None:
    """Compressed, with the mark in the header's description: a file that goes astray still says what it is."""
    image = volume.to_sitk()
    image.SetMetaData("ITK_FileNotes", mark)
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.SetCompressionLevel(1)
    writer.Execute(image)
