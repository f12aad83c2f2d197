"""A virtual patient written as a valid DICOM study, and its truth beside it, never inside."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lymphoma.simulation import VirtualPatient
from lymphoma.simulation.store import truth_of
from pydicom import Dataset

from nodal.dicom.write_common import StudyFrame, file_meta, study_frame, virtual_uid
from nodal.dicom.write_ct import ct_instances
from nodal.dicom.write_extras import EXTRAS, extra_series
from nodal.dicom.write_habits import Habit, habit_of
from nodal.dicom.write_pet import becquerel_per_suv, pet_instances

__all__ = ["WrittenStudy", "write_study"]


@dataclass(frozen=True)
class WrittenStudy:
    """Where a virtual study lies.

    Attributes:
        folder: the patient's folder, holding ``dicom`` and ``truth``.
        pet, ct: files, head first.
        bq_ml_per_suv: Bq/mL that stand for SUVbw 1 in the PET.
        lesions, organs, organ_names, patient: the files of truth.
    """

    seed: int
    patient_id: str
    study_instance_uid: str
    pet_series_instance_uid: str
    ct_series_instance_uid: str
    frame_of_reference_uid: str
    bq_ml_per_suv: float
    folder: Path
    pet: tuple[Path, ...]
    ct: tuple[Path, ...]
    lesions: Path
    organs: Path
    organ_names: Path
    patient: Path

    @property
    def dicom(self) -> Path:
        """The folder with nothing but the study's DICOM files."""
        return self.folder / "dicom"

    @property
    def truth(self) -> Path:
        """The folder with the true lesion map, organ map and patient."""
        return self.folder / "truth"


def write_study(
    patient: VirtualPatient, out: Path, *, per_slice_slope: bool | None = None, extras: bool = False
) -> WrittenStudy:
    """Writes ``out/<patient id>/dicom/{PT,CT}/*.dcm`` and ``out/<patient id>/truth/``.

    The headers follow the habits of the plan's scanner. The same patient gives the same bytes. Files of an earlier
    study in the folder are replaced.

    Args:
        per_slice_slope: overrules the habit of the scanner's maker, see :class:`nodal.dicom.write_habits.Habit`.
        extras: also a series without attenuation correction (NAC), a CT with a sharp kernel (CTLUNG) and a localizer
            (SCOUT), which a node has to pass over.
    """
    habit = habit_of(patient.plan, per_slice_slope=per_slice_slope)
    frame = study_frame(patient, variant=repr(habit))
    folder = out / frame.patient_id
    pet = _write_series(pet_instances(patient, frame, habit), folder / "dicom" / "PT")
    ct = _write_series(ct_instances(patient, frame, habit), folder / "dicom" / "CT")
    for name in EXTRAS:
        shutil.rmtree(folder / "dicom" / name, ignore_errors=True)
    for name, series in extra_series(patient, frame, habit) if extras else ():
        _write_series(series, folder / "dicom" / name)
    truth = folder / "truth"
    truth.mkdir(parents=True, exist_ok=True)
    written = WrittenStudy(
        seed=patient.plan.seed,
        patient_id=frame.patient_id,
        study_instance_uid=frame.study_instance_uid,
        pet_series_instance_uid=virtual_uid(frame.identity, "PT"),
        ct_series_instance_uid=virtual_uid(frame.identity, "CT"),
        frame_of_reference_uid=frame.frame_of_reference_uid,
        bq_ml_per_suv=becquerel_per_suv(patient, frame, habit),
        folder=folder,
        pet=pet,
        ct=ct,
        lesions=truth / "lesions.nii.gz",
        organs=truth / "organs.nii.gz",
        organ_names=truth / "organs.json",
        patient=truth / "patient.json",
    )
    _write_truth(patient, frame, habit, written)
    return written


def _write_series(instances: Iterator[Dataset], folder: Path) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.dcm"):
        old.unlink()
    paths, meta = [], None
    for number, instance in enumerate(instances, start=1):
        path = folder / f"{number:04d}.dcm"
        meta = meta or file_meta(instance)
        meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
        instance.file_meta = meta
        instance.save_as(path, enforce_file_format=True)
        paths.append(path)
    return tuple(paths)


def _write_truth(patient: VirtualPatient, frame: StudyFrame, habit: Habit, written: WrittenStudy) -> None:
    patient.lesion_map.save(written.lesions)
    patient.organs.save(written.organs)
    names = {str(label): name for label, name in sorted(patient.names.items())}
    written.organ_names.write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
    truth = {
        "patient_id": frame.patient_id,
        "study_instance_uid": frame.study_instance_uid,
        "habit": dataclasses.asdict(habit),
        **truth_of(patient),
    }
    written.patient.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
