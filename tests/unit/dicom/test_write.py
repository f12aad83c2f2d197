"""A virtual patient written as DICOM: valid, marked, and read back as it was."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from lymphoma.imaging.volume import Volume
from lymphoma.simulation import Protocol, VirtualPatient, build_patient, draw_patient
from nodal.dicom.folder import read_study
from nodal.dicom.series import load_ct, load_pet
from nodal.dicom.write import WrittenStudy, write_study
from nodal.intake.selection import select
from nodal.settings import Settings

from tests.validators import dciodvfy_errors
from tests.virtual import SMALL, add_series, small_virtual_study

pytestmark = pytest.mark.unit

TINY = Protocol(pet_spacing_mm=(8, 8, 20), pet_matrix=84, ct_spacing_mm=(8, 8, 20), ct_matrix=84, axial_extent_mm=400)


@pytest.fixture(scope="module")
def patient() -> VirtualPatient:
    """The patient of the ``virtual_study`` fixture."""
    return build_patient(draw_patient(1, lesions=3), SMALL)


def _series(study: WrittenStudy, uid: str):  # type: ignore[no-untyped-def]
    return next(s for s in read_study(study.dicom).series if s.series_instance_uid == uid)


def test_pet_reads_back_as_the_simulated_suv(virtual_study: WrittenStudy, patient: VirtualPatient) -> None:
    loaded = load_pet(_series(virtual_study, virtual_study.pet_series_instance_uid), assume_bw=False)
    assert loaded.volume.same_grid(patient.pet_suv)
    # half a step of 15 bits in each slice, and float32
    step = patient.pet_suv.array.max(axis=(1, 2), keepdims=True) / 32766
    allowed = 0.5 * np.maximum(step, 1 / virtual_study.bq_ml_per_suv / 32766) + 1e-6 * patient.pet_suv.array + 1e-7
    assert (np.abs(loaded.volume.array - patient.pet_suv.array) <= allowed * 1.01).all()
    conversion = loaded.conversion
    assert conversion.uptake_minutes == pytest.approx(patient.plan.scan.uptake_minutes, abs=0.02)
    assert conversion.injected_mbq_per_kg == pytest.approx(
        patient.plan.scan.injected_mbq / patient.plan.person.weight_kg, rel=1e-6
    )
    assert conversion.warnings == ()


def test_ct_reads_back_exactly(virtual_study: WrittenStudy, patient: VirtualPatient) -> None:
    loaded = load_ct(_series(virtual_study, virtual_study.ct_series_instance_uid))
    assert loaded.volume.same_grid(patient.ct_hu)
    assert np.array_equal(loaded.volume.array, patient.ct_hu.array)


def test_one_slope_for_the_series(tmp_path: Path) -> None:
    patient = build_patient(draw_patient(9, lesions=1), TINY)
    slopes = {}
    for habit in (True, False):
        study = write_study(patient, tmp_path / str(habit), per_slice_slope=habit)
        slopes[habit] = {float(pydicom.dcmread(path, stop_before_pixels=True).RescaleSlope) for path in study.pet}
        suv = load_pet(_series(study, study.pet_series_instance_uid), assume_bw=False).volume.array
        # half a step of the coarser scale
        assert np.abs(suv - patient.pet_suv.array).max() <= patient.pet_suv.array.max() / 32766
    assert len(slopes[True]) > 10
    assert len(slopes[False]) == 1


@pytest.mark.parametrize("which", [0, 70, -1])
def test_dciodvfy_finds_no_error(virtual_study: WrittenStudy, which: int) -> None:
    for path in (virtual_study.pet[which], virtual_study.ct[which]):
        assert dciodvfy_errors(path) == []
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        warnings = [line for line in (done.stdout + done.stderr).splitlines() if "Warning" in line]
        # the one private attribute, which the validator cannot know
        assert all("(0x0099,0x1001)" in line for line in warnings), warnings


def test_the_node_takes_it_as_a_virtual_study(virtual_study: WrittenStudy) -> None:
    selection = select(read_study(virtual_study.dicom), settings=Settings())
    assert selection.virtual
    assert selection.pet.series_instance_uid == virtual_study.pet_series_instance_uid
    assert selection.ct.series_instance_uid == virtual_study.ct_series_instance_uid
    assert selection.warnings == ()


def test_every_instance_carries_the_marks(virtual_study: WrittenStudy) -> None:
    uids = set()
    for path in (*virtual_study.pet, *virtual_study.ct):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert header.QualityControlSubject == "YES"
        mark = json.loads(header.private_block(0x0099, "NODAL VIRTUAL")[0x01].value)
        assert mark["seed"] == 1
        assert set(mark) == {"generator", "seed", "version"}
        assert header.StudyInstanceUID == virtual_study.study_instance_uid
        assert header.FrameOfReferenceUID == virtual_study.frame_of_reference_uid
        assert header.SOPInstanceUID == header.file_meta.MediaStorageSOPInstanceUID
        assert header.PatientID == "NODAL-V-1"
        uids.add(header.SOPInstanceUID)
    assert len(uids) == len(virtual_study.pet) + len(virtual_study.ct)
    assert all(len(uid) <= 64 for uid in uids)


def test_times_belong_together(virtual_study: WrittenStudy) -> None:
    """Series time = start of the first bed; the reference time and decay factor of a slice follow from its bed."""
    beds = set()
    for path in virtual_study.pet:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        series = _seconds(header.SeriesTime)
        begun = _seconds(header.AcquisitionTime) - series
        beds.add(begun)
        reference_s = float(header.FrameReferenceTime) / 1000
        # the mean count rate of 120 s of F-18 occurs 59.937 s after the start (published worked value)
        assert reference_s - begun == pytest.approx(59.937, abs=0.002)
        assert float(header.DecayFactor) == pytest.approx(2 ** (reference_s / 6586.2), rel=1e-6)
    assert min(beds) == 0
    assert len(beds) > 5


def _seconds(time: str) -> int:
    return int(time[:2]) * 3600 + int(time[2:4]) * 60 + int(time[4:6])


def test_same_patient_same_bytes_and_other_uids_otherwise(tmp_path: Path) -> None:
    patient = build_patient(draw_patient(9, lesions=1), TINY)
    one, two = (write_study(patient, tmp_path / name) for name in ("one", "two"))
    assert _digests(one) == _digests(two)
    other_seed = write_study(build_patient(draw_patient(10, lesions=1), TINY), tmp_path / "seed")
    other_habit = write_study(patient, tmp_path / "habit", per_slice_slope=False)
    assert len({study.study_instance_uid for study in (one, other_seed, other_habit)}) == 3
    # written again into the same folder, with fewer slices: none of the old ones is left
    shorter = dataclasses.replace(TINY, axial_extent_mm=200)
    again = write_study(build_patient(draw_patient(9, lesions=1), shorter), tmp_path / "one")
    assert sorted(again.folder.glob("dicom/PT/*")) == sorted(again.pet)


def _digests(study: WrittenStudy) -> dict[str, str]:
    files = [path for path in study.folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(study.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_truth_lies_beside_and_not_inside(virtual_study: WrittenStudy, patient: VirtualPatient) -> None:
    assert {path.suffix for path in virtual_study.dicom.rglob("*") if path.is_file()} == {".dcm"}
    lesions, organs = Volume.load(virtual_study.lesions), Volume.load(virtual_study.organs)
    # NIfTI holds its geometry in float32
    assert lesions.same_grid(patient.pet_suv, tolerance_mm=0.01)
    assert np.array_equal(lesions.array, patient.lesion_map.array)
    assert np.array_equal(organs.array, patient.organs.array)
    names = json.loads(virtual_study.organ_names.read_text(encoding="utf-8"))
    assert {int(label): name for label, name in names.items()} == dict(patient.names)
    truth = json.loads(virtual_study.patient.read_text(encoding="utf-8"))
    assert truth["tmtv_ml"] == pytest.approx((lesions.array > 0).sum() * lesions.voxel_volume_ml, abs=0.01)
    assert [lesion["number"] for lesion in truth["lesions"]] == list(range(1, lesions.array.max() + 1))


def test_studies_can_be_spoilt(tmp_path: Path) -> None:
    study = small_virtual_study(tmp_path, 9, 1, protocol=TINY, pet={"PatientWeight": None}, drop_ct=(3,))
    assert "PatientWeight" not in pydicom.dcmread(study.pet[0])
    assert not study.ct[3].exists()
    made = add_series(study, "NAC", {"CorrectedImage": ["DECY"], "SeriesDescription": "NAC"})
    assert len(made) == len(study.pet)
    assert len(read_study(study.dicom).series) == 3
