"""The check: each reason has its code and bars what it must, and nothing stops the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from lymphoma.imaging.volume import Volume
from lymphoma.training.case import Outcome
from nodal.cohort import check as check_module
from nodal.cohort.check import check_cohort
from nodal.cohort.index import INDEX_NAME
from nodal.cohort.model import ImageFacts, PatientReport
from nodal.cohort.sources import Sources
from nodal.cohort.summary import median_follow_up_months
from nodal.errors import Code, Refused, WrongUsage
from nodal.settings import Settings

from tests.unit.cohort.fakes import AFFINE, HOT, HOT_ML, cohort, ct, mask, organs, row, study, suv, table

pytestmark = pytest.mark.unit

ALL = ("segmentation", "pfs", "os")
PROGNOSIS = ("pfs", "os")


def broken(volume: Volume) -> Volume:
    array = volume.array.astype(np.float32)
    array[3, 3, 3] = np.nan
    return volume.with_array(array)


def elsewhere(volume: Volume) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] += 1000
    return Volume(volume.array, affine)


def text_in_place_of(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text("this is no image") and None


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def scrambled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(255 - byte for byte in data[len(data) // 2 :])
    path.write_bytes(data)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@dataclass(frozen=True)
class Wrong:
    """One thing done to a good patient, the code it must raise, and the uses that remain."""

    code: Code
    uses: tuple[str, ...]
    spoil: Callable[[Path], object] = lambda folder: None
    values: tuple[tuple[str, str], ...] = ()


WRONGS = [
    Wrong(Code.STUDY_MISSING, (), values=(("study", "studies/nowhere"),)),
    Wrong(Code.STUDY_MISSING, (), values=(("study", ""),)),
    Wrong(Code.NO_CT, (), without("ct_hu.nii.gz")),
    Wrong(Code.NO_PET, (), without("pet_suv.nii.gz")),
    Wrong(Code.EMPTY_STUDY, (), lambda f: [path.unlink() for path in f.iterdir()]),
    Wrong(Code.PIXELS_UNREADABLE, (), text_in_place_of("pet_suv.nii.gz")),
    Wrong(Code.PIXELS_UNREADABLE, (), lambda f: cut_short(f / "pet_suv.nii.gz")),
    Wrong(Code.PIXELS_UNREADABLE, (), lambda f: scrambled(f / "pet_suv.nii.gz")),
    Wrong(Code.VALUES_NOT_FINITE, (), lambda f: broken(suv()).save(f / "pet_suv.nii.gz")),
    Wrong(Code.VALUES_NOT_FINITE, (), lambda f: broken(ct()).save(f / "ct_hu.nii.gz")),
    Wrong(Code.CT_NO_OVERLAP, (), lambda f: elsewhere(ct()).save(f / "ct_hu.nii.gz")),
    Wrong(Code.SUV_SCALE, (), lambda f: suv().with_array(suv().array * 10).save(f / "pet_suv.nii.gz")),
    Wrong(Code.SUV_SCALE, (), lambda f: suv().with_array(suv().array / 10).save(f / "pet_suv.nii.gz")),
    Wrong(Code.REFERENCE_MISSING, PROGNOSIS, without("lesions.nii.gz")),
    Wrong(Code.CONTOUR_EMPTY, PROGNOSIS, lambda f: mask().save(f / "lesions.nii.gz")),
    Wrong(Code.CONTOUR_OTHER_IMAGE, PROGNOSIS, lambda f: elsewhere(mask(HOT)).save(f / "lesions.nii.gz")),
    Wrong(Code.CONTOUR_UNREADABLE, PROGNOSIS, text_in_place_of("lesions.nii.gz")),
    Wrong(Code.CLINICAL_IMPLAUSIBLE, PROGNOSIS, values=(("no_lesion", "1"),)),
    Wrong(Code.CLINICAL_IMPLAUSIBLE, ("segmentation",), values=(("age", "200"),)),
    Wrong(Code.OUTCOME_IMPLAUSIBLE, ("segmentation", "os"), values=(("pfs_months", "-1"),)),
    Wrong(Code.OUTCOME_INCOMPLETE, ("segmentation", "pfs"), values=(("os_event", ""),)),
    Wrong(Code.PFS_AFTER_OS, ("segmentation",), values=(("pfs_months", "40"),)),
    Wrong(Code.NO_FOLLOW_UP, ("segmentation", "os"), values=(("pfs_months", "0"),)),
    Wrong(Code.ORGANS_UNREADABLE, ALL, lambda f: mask(HOT).save(f / "organs.nii.gz")),
]


def checked(folder: Path) -> dict[str, PatientReport]:
    return {patient.patient_id: patient for patient in check_cohort(folder).patients}


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.code.lower())
def test_what_is_wrong_has_its_code_and_the_rest_stays_usable(tmp_path: Path, wrong: Wrong) -> None:
    cohort(tmp_path, "good", "bad")
    wrong.spoil(tmp_path / "studies" / "bad")
    table(tmp_path, row("bad", **dict(wrong.values)), row("good"))
    patients = checked(tmp_path)
    assert [fault.code for fault in patients["bad"].faults] == [wrong.code]
    assert patients["bad"].uses == wrong.uses
    assert all(fault.sentence and "bad" not in fault.sentence for fault in patients["bad"].faults)
    assert patients["good"].uses == ALL
    assert patients["good"].faults == ()


def test_a_row_without_reference_is_usable_for_prognosis(tmp_path: Path) -> None:
    cohort(tmp_path, "A")
    patient = checked(table(tmp_path, row("A", reference="")))["A"]
    assert patient.uses == PROGNOSIS
    assert [(fault.code, fault.bars) for fault in patient.faults] == [(Code.REFERENCE_MISSING, ("segmentation",))]


def test_whoever_is_barred_is_told_why(tmp_path: Path) -> None:
    cohort(tmp_path, *"ABC")
    rows = [
        row("A"),
        row("B", reference="", pfs_months=""),
        row("C", reference="gone", os_event="x"),
        row("D", study=""),
    ]
    for patient in checked(table(tmp_path, *rows)).values():
        told = {use for fault in patient.faults for use in fault.bars}
        assert told == set(ALL) - set(patient.uses)


@pytest.mark.parametrize("reference", ["", "studies/A/lesions.nii.gz"])
def test_a_patient_declared_free_of_lesions_is_usable(tmp_path: Path, reference: str) -> None:
    study(tmp_path / "studies/A", lesions=mask())
    patient = checked(table(tmp_path, row("A", reference=reference, no_lesion="yes")))["A"]
    assert patient.uses == ALL
    assert (patient.images.lesions, patient.images.lesion_ml) == (0, 0.0)


def test_what_the_images_hold_is_told(tmp_path: Path) -> None:
    other = (slice(11, 13),) * 3
    folder = study(tmp_path / "studies/A", lesions=mask(HOT, other))
    organs(folder)
    images = checked(table(tmp_path, row("A")))["A"].images
    assert images.lesions == 2
    assert images.lesion_ml == HOT_ML + 8 * 0.125
    assert images.body_suv_median == pytest.approx(0.7, abs=0.02)  # the body is drawn from 0.6 to 0.8
    assert (images.readers, images.readers_dice) == (1, None)


def test_three_readers_vote(tmp_path: Path) -> None:
    folder = study(tmp_path / "studies/A")
    wide = (slice(6, 9), slice(6, 9), slice(6, 12))
    for name, part in (("r1", HOT), ("r2", wide), ("r3", HOT)):
        mask(part).save(folder / f"{name}.nii.gz")
    references = ";".join(f"studies/A/{name}.nii.gz" for name in ("r1", "r2", "r3"))
    images = checked(table(tmp_path, row("A", reference=references)))["A"].images
    assert images.lesion_ml == HOT_ML
    assert images.readers == 3
    assert images.readers_dice == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)  # 27 and 54 voxels share 27


def test_readers_who_share_nothing_have_no_majority(tmp_path: Path) -> None:
    folder = study(tmp_path / "studies/A")
    mask((slice(11, 13),) * 3).save(folder / "r2.nii.gz")
    both = "studies/A/lesions.nii.gz;studies/A/r2.nii.gz"
    patient = checked(table(tmp_path, row("A", reference=both)))["A"]
    assert [fault.code for fault in patient.faults] == [Code.CONTOUR_EMPTY]
    assert "majority" in patient.faults[0].sentence


def test_one_reader_who_cannot_be_read_leaves_no_vote_of_the_others(tmp_path: Path) -> None:
    cohort(tmp_path, "A")
    readers = ";".join(["studies/A/lesions.nii.gz"] * 2 + ["studies/A/gone.nii.gz"])
    patient = checked(table(tmp_path, row("A", reference=readers)))["A"]
    assert patient.uses == PROGNOSIS
    assert "reader 3 of 3" in patient.faults[0].sentence


def test_two_patients_with_the_same_images_are_barred(tmp_path: Path) -> None:
    for patient in "AB":
        study(tmp_path / "studies" / patient, seed=1)
    study(tmp_path / "studies" / "C", seed=2)
    patients = checked(table(tmp_path, *map(row, "ABC")))
    assert [patients[name].uses for name in "ABC"] == [(), (), ALL]
    assert [fault.code for fault in patients["A"].faults] == [Code.STUDY_DUPLICATE]


def test_a_patient_in_two_rows_is_barred_and_told(tmp_path: Path) -> None:
    cohort(tmp_path, "A", "B")
    report = check_cohort(table(tmp_path, row("A"), row("B"), row("A", study="studies/B")))
    assert [patient.uses for patient in report.patients][0::2] == [(), ()]
    assert Code.PATIENT_DUPLICATE in [fault.code for fault in report.patients[0].faults]


def test_the_summary_counts_and_follows_up(tmp_path: Path) -> None:
    cohort(tmp_path, *"ABCD")
    report = check_cohort(
        table(
            tmp_path,
            row("A", centre="N", pfs_months="6", pfs_event="1"),
            row("B", centre="S", pfs_months="20"),
            row("C", centre="N", pfs_months="30"),
            row("D", centre="N", study="gone"),
        )
    )
    summary = report.summary
    assert (summary.rows, summary.usable, summary.segmentation) == (4, 3, 3)
    assert (summary.pfs.patients, summary.pfs.events) == (3, 1)
    assert summary.pfs.median_follow_up_months == 20  # of the two still at risk after the event, one is censored at 20
    assert summary.centres == (("N", 2), ("S", 1))
    assert report.name == tmp_path.name
    assert report.virtual is False


def test_the_reverse_kaplan_meier_median() -> None:
    plain = [Outcome(months, False) for months in (10, 20, 30, 40, 50)]
    assert median_follow_up_months(plain) == 30
    early = [Outcome(1, True), Outcome(2, True), *plain]
    assert median_follow_up_months(early) == 30  # early events say nothing about how long the others were followed
    assert median_follow_up_months([Outcome(5, True)]) is None
    assert median_follow_up_months([]) is None


def test_a_second_look_reads_no_image_and_a_changed_file_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort(tmp_path, "A", "B")
    first = check_cohort(tmp_path)
    read: list[Path] = []
    examine = check_module.examine
    monkeypatch.setattr(check_module, "examine", lambda s, rules: read.append(s.study) or examine(s, rules))
    assert check_cohort(tmp_path) == first
    assert read == []
    mask((slice(11, 13),) * 3).save(tmp_path / "studies/B/lesions.nii.gz")
    second = check_cohort(tmp_path)
    assert read == [tmp_path / "studies/B"]
    assert second.patients[1].images.lesion_ml == 1.0
    assert second.patients[0] == first.patients[0]
    assert second.patients[1].content != first.patients[1].content


def test_a_check_that_was_stopped_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_module, "SAVED_EVERY", 2)
    cohort(tmp_path, *"ABCD")
    read: list[str] = []
    examine = check_module.examine

    def stopped(sources: Sources, rules: Settings) -> ImageFacts:
        read.append(sources.study.name)
        if len(read) == 4:
            raise KeyboardInterrupt
        return examine(sources, rules)

    monkeypatch.setattr(check_module, "examine", stopped)
    with pytest.raises(KeyboardInterrupt):
        check_cohort(tmp_path)
    read.clear()
    assert check_cohort(tmp_path).summary.usable == 4
    assert read == ["C", "D"]


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    first = check_cohort(cohort(tmp_path, "A"))
    (tmp_path / INDEX_NAME).write_text('{"layout": 1, "files"')
    assert check_cohort(tmp_path) == first
    assert json.loads((tmp_path / INDEX_NAME).read_text())["layout"] == 1


def test_names_of_files_and_folders_are_not_content(tmp_path: Path) -> None:
    study(tmp_path / "one"), study(tmp_path / "two")
    (tmp_path / "two/lesions.nii.gz").rename(tmp_path / "two/drawn.nii.gz")
    patients = checked(
        table(
            tmp_path,
            row("A", study="one", reference="one/lesions.nii.gz"),
            row("B", study="two", reference="two/drawn.nii.gz"),
            row("C", study="two", reference=""),
        )
    )
    assert patients["A"].content == patients["B"].content != patients["C"].content


def test_what_the_cohort_says_of_itself(tmp_path: Path) -> None:
    cohort(tmp_path, "A")
    (tmp_path / "cohort.json").write_text('{"name": "North", "virtual": true, "note": "made up"}')
    report = check_cohort(tmp_path)
    assert (report.name, report.virtual, report.note) == ("North", True, "made up")
    (tmp_path / "cohort.json").write_text('{"virtual": "perhaps"}')
    with pytest.raises(Refused, match=r"cohort\.json"):
        check_cohort(tmp_path)


def test_one_simulated_patient_makes_the_cohort_simulated(tmp_path: Path) -> None:
    cohort(tmp_path, "A", "B")
    image = suv(seed=2).to_sitk()
    image.SetMetaData("ITK_FileNotes", "NODAL VIRTUAL")
    sitk.WriteImage(image, str(tmp_path / "studies/B/pet_suv.nii.gz"))
    report = check_cohort(tmp_path)
    assert [patient.images.virtual for patient in report.patients] == [False, True]
    assert report.virtual


def test_a_folder_that_is_no_cohort(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage):
        check_cohort(tmp_path / "nowhere")
    with pytest.raises(Refused) as caught:
        check_cohort(tmp_path)
    assert caught.value.code is Code.COHORT_TABLE


def test_an_oblique_grid_is_no_other_place(tmp_path: Path) -> None:
    turned = AFFINE.copy()
    turned[:2, :2] = VOXEL_TURN
    grid = Volume(ct().array, turned)
    study(tmp_path / "studies/A", ct_hu=grid)
    assert checked(table(tmp_path, row("A")))["A"].uses == ALL


VOXEL_TURN = 5.0 * np.array([[0.8, -0.6], [0.6, 0.8]])
