"""The cohort as training sees it: subjects in a fixed order, cases on the PET grid, changed files refused."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from lymphoma.imaging.volume import Volume
from lymphoma.simulation import Protocol
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Cohort, Outcome
from lymphoma.training.folds import stratified_folds
from nodal.cohort.check import check_cohort
from nodal.cohort.folder import FolderCohort, read_cohort
from nodal.dicom.write import WrittenStudy
from nodal.errors import Code, Failed, Refused
from nodal.settings import Settings

from tests.e2e.test_process_sts import own_contour, own_suv
from tests.unit.cohort.fakes import AFFINE, HOT, cohort, ct, mask, organs, row, study, suv, table
from tests.virtual import small_virtual_study

pytestmark = pytest.mark.unit


TINY = Protocol(pet_spacing_mm=(8, 8, 20), pet_matrix=84, ct_spacing_mm=(8, 8, 20), ct_matrix=84, axial_extent_mm=600)


def protocol_of(cohort: FolderCohort) -> Cohort:
    """The checker of types sees here that the folder is what training asks for."""
    return cohort


def test_a_case_holds_what_the_files_hold(tmp_path: Path) -> None:
    folder = study(tmp_path / "studies/A")
    liver = organs(folder)
    read = read_cohort(table(tmp_path, row("A", age="61", stage="IV", centre="N", pfs_months="7", pfs_event="1")))
    (subject,) = protocol_of(read).subjects
    assert (subject.patient_id, subject.centre) == ("A", "N")
    assert subject.clinical == ClinicalFactors(age_years=61.0, stage=4)
    assert (subject.pfs, subject.os) == (Outcome(7, True), Outcome(30, False))
    case = read.load(subject)
    assert case.subject is subject
    assert case.suv.array.dtype == case.ct_hu.array.dtype == np.float32
    np.testing.assert_array_equal(case.suv.array, suv().array)
    np.testing.assert_array_equal(case.ct_hu.array, ct().array)
    assert case.lesions is not None
    assert case.lesions.array.dtype == np.uint16
    np.testing.assert_array_equal(case.lesions.array, mask(HOT).array)
    np.testing.assert_array_equal(case.anatomy.mask("liver"), liver)
    assert read.with_lesions == {"A": True}


def test_subjects_and_folds_do_not_know_the_order_of_the_rows(tmp_path: Path) -> None:
    cohort(tmp_path, *"ABCDEF")
    rows = [row(name, pfs_event=str(number % 2)) for number, name in enumerate("ABCDEF")]
    first = read_cohort(table(tmp_path, *rows))
    second = read_cohort(table(tmp_path, *(rows[index] for index in (3, 0, 5, 1, 4, 2))))
    assert first.subjects == second.subjects
    assert stratified_folds(first.subjects, 3, 1) == stratified_folds(second.subjects, 3, 1)


def test_what_a_subject_cannot_be_used_for_is_not_in_the_case(tmp_path: Path) -> None:
    cohort(tmp_path, *"AB")
    (tmp_path / "studies/A/lesions.nii.gz").unlink()
    read = read_cohort(table(tmp_path, row("A"), row("B", pfs_months="40")))
    first, second = read.subjects
    assert read.load(first).lesions is None
    assert second.pfs is second.os is None
    assert [s.patient_id for s in read.usable_for("segmentation")] == ["B"]
    assert [s.patient_id for s in read.usable_for("pfs")] == ["A"]


def turned(volume: Volume, axes: Sequence[int], flips: Sequence[int]) -> Volume:
    """The same voxels in the same places, in another order of memory."""
    index = np.array(
        [[axis == 2 - old for old in axes[::-1]] for axis in range(3)], float
    )  # column c follows an old axis
    array = volume.array.transpose(axes)
    affine = np.eye(4)
    affine[:3, :3] = volume.affine[:3, :3] @ index
    affine[:3, 3] = volume.affine[:3, 3]
    for axis in flips:
        column = 2 - axis
        affine[:3, 3] += affine[:3, column] * (array.shape[axis] - 1)
        affine[:3, column] *= -1
        array = np.flip(array, axis)
    return Volume(np.ascontiguousarray(array), affine)


@pytest.mark.parametrize(("axes", "flips"), [((0, 1, 2), (0,)), ((0, 1, 2), (1, 2)), ((2, 0, 1), (0, 2))])
def test_slices_rise_towards_the_head_however_the_files_lie(
    tmp_path: Path, axes: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    marked = suv()
    marked.array[3, 4, 5] = 12.0
    moved = turned(marked, axes, flips)
    np.testing.assert_allclose(moved.points_mm(np.argwhere(moved.array == 12.0)[0]), marked.points_mm([3, 4, 5]))
    study(tmp_path / "studies/A", pet=moved, ct_hu=turned(ct(), axes, flips), lesions=turned(mask(HOT), axes, flips))
    read = read_cohort(table(tmp_path, row("A")))
    case = read.load(read.subjects[0])
    np.testing.assert_array_equal(case.suv.array, marked.array)
    np.testing.assert_allclose(case.suv.affine, AFFINE, atol=1e-4)  # NIfTI keeps its geometry in single precision
    assert case.lesions is not None
    np.testing.assert_array_equal(case.lesions.array > 0, mask(HOT).array > 0)


def test_a_ct_on_its_own_grid_comes_to_the_pet(tmp_path: Path) -> None:
    fine = Volume(np.repeat(ct().array, 2, axis=0), AFFINE @ np.diag([1, 1, 0.5, 1]))
    fine.affine[2, 3] = -1.25
    study(tmp_path / "studies/A", ct_hu=fine)
    read = read_cohort(table(tmp_path, row("A")))
    case = read.load(read.subjects[0])
    assert case.ct_hu.same_grid(case.suv)
    np.testing.assert_allclose(case.ct_hu.array, ct().array, atol=1e-3)  # each pair of slices has one mean


def test_files_that_changed_are_refused(tmp_path: Path) -> None:
    read = read_cohort(cohort(tmp_path, "A"))
    mask((slice(11, 13),) * 3).save(tmp_path / "studies/A/lesions.nii.gz")
    with pytest.raises(Failed) as caught:
        read.load(read.subjects[0])
    assert caught.value.code is Code.COHORT_CHANGED
    (tmp_path / "studies/A/pet_suv.nii.gz").unlink()
    with pytest.raises(Failed):
        read.load(read.subjects[0])


def test_a_cohort_travels_to_a_worker_process(tmp_path: Path) -> None:
    read = read_cohort(cohort(tmp_path, "A"))
    there = pickle.loads(pickle.dumps(read))
    np.testing.assert_array_equal(there.load(read.subjects[0]).suv.array, suv().array)


def test_nobody_usable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        read_cohort(table(tmp_path, row("A")))
    assert caught.value.code is Code.NO_USABLE_PATIENT


# -- DICOM ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> WrittenStudy:
    return small_virtual_study(tmp_path_factory.mktemp("virtual"), seed=5, lesions=3, protocol=TINY)


def dicom_row(written: WrittenStudy, **values: str) -> dict[str, str]:
    return row("V", study=str(written.dicom), reference=str(written.lesions), organs=str(written.organs), **values)


def test_a_dicom_study_is_read_by_the_rules_of_the_node(tmp_path: Path, virtual: WrittenStudy) -> None:
    read = read_cohort(table(tmp_path, dicom_row(virtual)), Settings())
    assert read.virtual
    assert read.report.patients[0].uses == ("segmentation", "pfs", "os")
    case = read.load(read.subjects[0])
    truth = Volume.load(virtual.lesions)
    assert case.lesions is not None
    assert case.lesions.same_grid(truth, tolerance_mm=0.01)
    np.testing.assert_array_equal(case.lesions.array > 0, truth.array > 0)
    assert case.anatomy.has("liver")
    assert case.ct_hu.same_grid(case.suv)


def test_a_header_without_weight_has_the_code_of_the_suv(tmp_path: Path) -> None:
    written = small_virtual_study(tmp_path / "v", seed=5, pet={"PatientWeight": None}, protocol=TINY)
    with pytest.raises(Refused):
        read_cohort(table(tmp_path, dicom_row(written)))
    (patient,) = check_cohort(tmp_path).patients
    assert [fault.code for fault in patient.faults] == [Code.SUV_MISSING_WEIGHT]


def test_a_dicom_object_that_is_no_contour_is_no_reference(tmp_path: Path, virtual: WrittenStudy) -> None:
    seg = next(virtual.dicom.rglob("*.dcm"))  # a PET slice is no contour
    study(tmp_path / "studies/A")
    read = read_cohort(table(tmp_path, row("A", reference=str(seg))))
    (patient,) = read.report.patients
    assert patient.uses == ("pfs", "os")
    assert [fault.code for fault in patient.faults] == [Code.CONTOUR_UNREADABLE]


def test_a_real_pair_with_its_structure_set(tmp_path: Path, real_data: Path) -> None:
    folder = real_data / "sts/STS_002"
    contour = folder / "PET/mask/RS.dcm"
    read = read_cohort(table(tmp_path, row("S", study=str(folder), reference=str(contour))))
    assert not read.virtual
    case = read.load(read.subjects[0])
    plain_suv, slices, voxel_ml = own_suv(folder / "PET/image")
    np.testing.assert_allclose(case.suv.array, plain_suv, rtol=1e-5)  # stored values times slope, in single precision
    mask_ml = int(own_contour(contour, slices).sum()) * voxel_ml
    (patient,) = read.report.patients
    assert patient.images.lesion_ml == pytest.approx(mask_ml, rel=0.005)  # voxels on the very edge, as in the pipeline
