"""Published layouts become cohort folders that the check accepts; what is passed over is told."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pydicom
import pytest
from lymphoma.imaging.volume import Volume
from lymphoma.simulation import Protocol
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome
from nodal.cohort.check import check_cohort
from nodal.cohort.folder import read_cohort
from nodal.cohort.importers import ImportReport, import_cohort
from nodal.cohort.importers.texts import age_years, day_of
from nodal.cohort.place import safe_name
from nodal.cohort.table import Row, read_table
from nodal.dicom.write import WrittenStudy
from nodal.errors import Code, Refused, WrongUsage

from tests.unit.cohort.fakes import HOT, ct, mask, suv
from tests.virtual import small_virtual_study

pytestmark = pytest.mark.unit

FIRST, LATER = "03-01-2003-NA-PET-CT Ganzkoerper-11111", "06-01-2004-NA-PET-CT Ganzkoerper-22222"


def rows_of(folder: Path) -> dict[str, Row]:
    return {row.patient_id: row for row in read_table(folder / "cohort.csv")}


def passed(report: ImportReport) -> dict[str, str]:
    return {one.what: one.reason for one in report.passed_over}


def write_csv(path: Path, *rows: dict[str, str]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


# -- autoPET --------------------------------------------------------------------------------------------------------


def autopet_study(source: Path, patient: str, study: str, *, seed: int, lesions: bool = True) -> None:
    folder = source / patient / study
    folder.mkdir(parents=True)
    for name, volume in (("SUV", suv(seed)), ("CTres", ct()), ("SEG", mask(HOT) if lesions else mask())):
        volume.save(folder / f"{name}.nii.gz")


def told(patient: str, study: str, diagnosis: str) -> dict[str, str]:
    return {
        "Series UID": f"1.2.{study[-5:]}",
        "Subject ID": patient,
        "Study UID": f"1.2.3.{study[-5:]}",
        "Study Date": study[:10],
        "File Location": f".\\FDG-PET-CT-Lesions\\{patient}\\{study}\\1.000-PET-1",
        "diagnosis": diagnosis,
        "sex": "F",
        "age": "060Y",
    }


@pytest.fixture
def autopet(tmp_path: Path) -> Path:
    source = tmp_path / "FDG-PET-CT-Lesions"
    autopet_study(source, "PETCT_a", LATER, seed=1)
    autopet_study(source, "PETCT_a", FIRST, seed=2)
    autopet_study(source, "PETCT_b", FIRST, seed=3, lesions=False)
    autopet_study(source, "PETCT_c", FIRST, seed=4)
    autopet_study(source, "PETCT_d", FIRST, seed=5)
    (source / "PETCT_d" / FIRST / "CTres.nii.gz").unlink()
    write_csv(
        source / "clinical.csv",
        told("PETCT_a", FIRST, "LYMPHOMA"),
        told("PETCT_a", LATER, "LYMPHOMA"),
        told("PETCT_b", FIRST, "NEGATIVE"),
        told("PETCT_c", FIRST, "MELANOMA"),
        told("PETCT_d", FIRST, "LYMPHOMA"),
    )
    return source


def test_autopet(tmp_path: Path, autopet: Path) -> None:
    report = import_cohort("autopet", autopet, tmp_path / "out")
    assert (report.patients, report.references) == (3, 3)
    assert passed(report) == {
        f"PETCT_a/{LATER}": "a later study of a patient",
        f"PETCT_d/{FIRST}": "no usable PET and CT",
    }
    rows = rows_of(tmp_path / "out")
    assert rows["PETCT_a"].clinical == ClinicalFactors(age_years=60, sex="F")
    assert rows["PETCT_a"].further["diagnosis"] == "LYMPHOMA"
    assert [rows[name].no_lesion for name in ("PETCT_a", "PETCT_b", "PETCT_c")] == [False, True, False]
    checked = check_cohort(tmp_path / "out")
    assert [patient.uses for patient in checked.patients] == [("segmentation",)] * 3
    assert [patient.images.lesions for patient in checked.patients] == [1, 0, 1]
    assert "single" not in checked.note
    assert checked.note == report.note
    case = read_cohort(tmp_path / "out").load(read_cohort(tmp_path / "out").subjects[0])
    assert (case.suv.array == suv(2).array).all()  # the earlier of the two studies
    assert (tmp_path / "out/studies/PETCT_a/pet_suv.nii.gz").is_symlink()


def test_autopet_of_one_diagnosis_copied(tmp_path: Path, autopet: Path) -> None:
    report = import_cohort("autopet", autopet, tmp_path / "out", only="lymphoma", copy=True)
    assert list(rows_of(tmp_path / "out")) == ["PETCT_a"]
    assert passed(report)[f"PETCT_c/{FIRST}"] == "diagnosis MELANOMA"
    shutil.rmtree(autopet)
    assert check_cohort(tmp_path / "out").summary.usable == 1


def test_autopet_without_its_table(tmp_path: Path, autopet: Path) -> None:
    (autopet / "clinical.csv").unlink()
    with pytest.raises(WrongUsage, match="diagnosis"):
        import_cohort("autopet", autopet, tmp_path / "out", only="lymphoma")
    import_cohort("autopet", autopet, tmp_path / "out")
    row = rows_of(tmp_path / "out")["PETCT_b"]
    assert (row.clinical, row.no_lesion) == (ClinicalFactors(), False)
    uses = {patient.patient_id: patient.uses for patient in check_cohort(tmp_path / "out").patients}
    assert uses["PETCT_b"] == ()  # an empty contour that nobody declared is no truth


# -- HECKTOR --------------------------------------------------------------------------------------------------------


@pytest.fixture
def hecktor(tmp_path: Path) -> Path:
    source = tmp_path / "hecktor2022_training"
    (source / "imagesTr").mkdir(parents=True), (source / "labelsTr").mkdir()
    for seed, patient in enumerate(("CHUM-001", "CHUM-002", "MDA-003"), start=1):
        suv(seed).save(source / "imagesTr" / f"{patient}__PT.nii.gz")
        ct().save(source / "imagesTr" / f"{patient}__CT.nii.gz")
    (source / "imagesTr/MDA-003__CT.nii.gz").unlink()
    labels = mask(HOT).array.copy()
    labels[HOT[0], HOT[1], 9] = 2
    Volume(labels, mask().affine).save(source / "labelsTr/CHUM_001.nii.gz")
    people = {"CenterID": "2", "Gender": "M", "Age": "63", "Weight": "80", "Performance status": "1.0"}
    write_csv(source / "hecktor2022_clinical_info_training.csv", {"PatientID": "CHUM-001", **people})
    write_csv(
        source / "hecktor2022_endpoint_training.csv",
        {"PatientID": "CHUM-001", "Relapse": "1.0", "RFS": "365.25"},
        {"PatientID": "CHUM-002", "Relapse": "0", "RFS": ""},
    )
    return source


def test_hecktor(tmp_path: Path, hecktor: Path) -> None:
    report = import_cohort("hecktor", hecktor, tmp_path / "out")
    assert (report.patients, report.references) == (2, 1)
    assert passed(report) == {
        "imagesTr/MDA-003__PT.nii.gz": "the CT is not there",
        "CHUM-002.nii.gz": "no contour; the patient is in the cohort without one",
    }
    rows = rows_of(tmp_path / "out")
    assert rows["CHUM-001"].clinical == ClinicalFactors(age_years=63, sex="M", ecog=1)
    assert rows["CHUM-001"].pfs == Outcome(12.0, True)
    assert rows["CHUM-001"].os is None
    assert rows["CHUM-002"].pfs is None
    assert [rows[name].centre for name in rows] == ["CHUM", "CHUM"]
    checked = check_cohort(tmp_path / "out")
    assert [patient.uses for patient in checked.patients] == [("segmentation", "pfs"), ()]
    assert checked.patients[0].images.lesion_ml == (27 + 9) * 0.125
    assert "not lymphoma" in checked.note
    assert json.loads((tmp_path / "out/cohort.json").read_text())["virtual"] is False


# -- DICOM ----------------------------------------------------------------------------------------------------------


TINY = Protocol(pet_spacing_mm=(8, 8, 20), pet_matrix=84, ct_spacing_mm=(8, 8, 20), ct_matrix=84, axial_extent_mm=200)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> WrittenStudy:
    return small_virtual_study(tmp_path_factory.mktemp("made"), seed=5, protocol=TINY)


def tcia_study(source: Path, made: WrittenStudy, *, contours: int = 1) -> Path:
    """``patient/study/series`` as the archive's downloader lays it out, with the archive's metadata.csv."""
    folder = source / "P-1" / "01-01-2020-NA-PETCT-11111"
    for name, paths in (("1.000-PET-1", made.pet), ("2.000-CT-2", made.ct)):
        (folder / name).mkdir(parents=True)
        for path in paths:
            shutil.copy(path, folder / name / path.name)
    for number in range(contours):
        (folder / f"3.00{number}-Segmentation-3").mkdir()
        contour = pydicom.dcmread(made.pet[0])
        contour.Modality, contour.SeriesInstanceUID = "SEG", f"1.2.3.{number}"
        contour.save_as(folder / f"3.00{number}-Segmentation-3" / "1-1.dcm")
    write_csv(
        source / "metadata.csv",
        {"Series UID": made.pet_series_instance_uid, "Number of Images": str(len(made.pet))},
        {"Series UID": made.ct_series_instance_uid, "Number of Images": str(len(made.ct))},
    )
    return folder


def test_a_tcia_collection(tmp_path: Path, made: WrittenStudy) -> None:
    tcia_study(tmp_path / "Collection", made)
    (tmp_path / "Collection/P-1/other/scout").mkdir(parents=True)
    (tmp_path / "Collection/P-1/other/scout/1.dcm").write_text("no DICOM")
    report = import_cohort("tcia", tmp_path / "Collection", tmp_path / "out")
    assert (report.patients, report.references) == (1, 1)
    assert passed(report) == {"P-1/other/scout": "its files are not DICOM"}
    (row,) = rows_of(tmp_path / "out").values()
    assert row.patient_id == made.patient_id
    assert row.clinical.age_years is not None
    assert row.pfs is None
    files = sorted(path.name for path in (tmp_path / "out" / row.study).rglob("*.dcm"))
    assert files == sorted(path.name for path in (*made.pet, *made.ct))
    (patient,) = check_cohort(tmp_path / "out").patients
    assert patient.images.virtual  # the PET and CT were read through the links
    assert [fault.code for fault in patient.faults if fault.code is not Code.NO_FOLLOW_UP] == [Code.CONTOUR_UNREADABLE]


def test_several_contours_are_not_taken_for_readers(tmp_path: Path, made: WrittenStudy) -> None:
    tcia_study(tmp_path / "c", made, contours=2)
    report = import_cohort("tcia", tmp_path / "c", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out").values()
    assert row.references == ()
    named = row.further["contours"].split(";")
    assert len(named) == 2
    assert all((tmp_path / "out" / name).is_file() for name in named)
    assert "2 contours" in report.passed_over[0].reason


def test_a_download_that_is_not_whole(tmp_path: Path, made: WrittenStudy) -> None:
    folder = tcia_study(tmp_path / "c", made)
    next((folder / "1.000-PET-1").iterdir()).unlink()
    with pytest.raises(Refused, match="PET and CT"):
        import_cohort("tcia", tmp_path / "c", tmp_path / "out")


def test_autopet_from_the_archive(tmp_path: Path, made: WrittenStudy) -> None:
    folder = tcia_study(tmp_path / "c", made)
    write_csv(
        tmp_path / "c/clinical.csv",
        {"Subject ID": made.patient_id, "Study UID": made.study_instance_uid, "diagnosis": "Lymphoma", "age": "044Y"},
    )
    report = import_cohort("autopet", tmp_path / "c", tmp_path / "out", only="lymphoma")
    assert (report.patients, report.references, folder.is_dir()) == (1, 1, True)
    assert rows_of(tmp_path / "out")[made.patient_id].clinical.age_years == 44


# -- all ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["autopet", "hecktor", "tcia"])
def test_a_folder_of_another_layout_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/readme.txt").write_text("nothing")
    with pytest.raises(Refused) as caught:
        import_cohort(kind, tmp_path / "source", tmp_path / "out")  # type: ignore[arg-type]
    assert caught.value.code is Code.SOURCE_LAYOUT


def test_nothing_is_written_over(tmp_path: Path, hecktor: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep")
    with pytest.raises(WrongUsage, match="not empty"):
        import_cohort("hecktor", hecktor, tmp_path / "out")
    with pytest.raises(WrongUsage, match="diagnosis"):
        import_cohort("hecktor", hecktor, tmp_path / "other", only="lymphoma")
    with pytest.raises(WrongUsage, match="not a folder"):
        import_cohort("hecktor", tmp_path / "nowhere", tmp_path / "other")


def test_two_patients_never_share_a_folder() -> None:
    assert safe_name("PETCT_4d7b-1.a") == "PETCT_4d7b-1.a"
    names = [safe_name(text) for text in ("A/B", "A-B", "A B", "..", "../A-B", "", "-")]
    assert len(set(names)) == len(names)
    assert not any(name.startswith(".") or "/" in name for name in names)


def test_dates_and_ages_of_the_archives() -> None:
    assert day_of("03-23-2003") == day_of("2003-03-23") == day_of("20030323")
    assert day_of("soon") is None
    assert [age_years(text) for text in ("060Y", "61", "6M", "")] == ["60", "61", "", ""]
