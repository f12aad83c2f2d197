"""A cohort folder as patients: where measures come from, who is left out, what is kept."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from lymphoma.imaging.volume import Volume
from lymphoma.lesions.totals import body_surface_m2
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.simulation.feature_table import FeatureTable
from nodal.cohort.measures import read_measures, write_measures
from nodal.dicom.write import WrittenStudy
from nodal.errors import Code, Failed, Refused, WrongUsage
from nodal.evaluation.measuring import CACHE_NAME
from nodal.evaluation.patients import patients_of, patients_with_origins
from nodal.settings import Settings

from tests.bundles import feature_cohort
from tests.unit.cohort import fakes

pytestmark = pytest.mark.unit

PET = PetMeasures(310.5, 2100.0, 21.0, 17.25, 12, 480.0, 410.0, 0.25)


def plain(patient_id: str, **values: str) -> dict[str, str]:
    """A row without a study."""
    return fakes.row(patient_id, **{"study": "", "reference": "", "age": "61", "ecog": "1", **values})


def folder(path: Path, *rows: dict[str, str], measures: dict[str, PetMeasures] | None = None) -> Path:
    path.mkdir(exist_ok=True)
    fakes.table(path, *rows)
    if measures is not None:
        write_measures(path / "measures.csv", measures.items())
    return path


def test_a_table_without_images(tmp_path: Path) -> None:
    rows = [plain("B", stage="III", centre="North"), plain("A", pfs_event="1")]
    cohort = folder(tmp_path / "c", *rows, measures={"A": PET, "B": PetMeasures(tmtv_ml=5.0)})
    patients, origins = patients_with_origins(cohort)
    assert patients.ids == ("A", "B")
    assert patients.pet == (PET, PetMeasures(tmtv_ml=5.0))
    assert patients.clinical[1].stage == 3
    assert patients.centres == ("", "North")
    assert patients.outcomes["pfs"][0] is not None
    assert patients.outcomes["pfs"][0].event
    assert (origins.table, origins.unusable, origins.without_outcome) == (2, 0, 0)
    assert patients.cohort == "c"
    assert not patients.virtual


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    silent = dict.fromkeys(fakes.ALIVE, "")
    rows = [
        plain("A"),
        plain("no measures"),
        plain("no outcome", **silent),
        plain("stage", stage="7"),
        plain("wrong"),
        plain("twice"),
        plain("twice"),
    ]
    measures = {one["patient_id"]: PET for one in rows if one["patient_id"] != "no measures"}
    cohort = folder(tmp_path / "c", *rows, measures=measures)
    text = (cohort / "measures.csv").read_text().replace("wrong,310.5", "wrong,-1")
    (cohort / "measures.csv").write_text(text)
    patients, origins = patients_with_origins(cohort)
    assert patients.ids == ("A",)
    assert (origins.table, origins.unusable, origins.without_outcome) == (1, 5, 1)


def test_one_usable_endpoint_is_enough(tmp_path: Path) -> None:
    cohort = folder(tmp_path / "c", plain("A", os_event="maybe"), measures={"A": PET})
    patients = patients_of(cohort)
    assert patients.outcomes["os"] == (None,)
    assert patients.known("pfs").tolist() == [0]
    assert patients.known("os").tolist() == []


def test_the_content_follows_what_is_read_and_not_the_name(tmp_path: Path) -> None:
    def content(name: str, pet: PetMeasures, **values: str) -> str:
        cohort = folder(tmp_path / "c", plain(name, **values), measures={name: pet})
        return patients_of(cohort).contents[0]

    first = content("A", PET)
    assert content("B", PET) == first
    assert content("A", PetMeasures(tmtv_ml=310.5)) != first
    assert content("A", PET, age="62") != first
    assert content("A", PET, os_event="1") != first


def test_a_virtual_cohort_without_images(tmp_path: Path) -> None:
    cohort = feature_cohort(tmp_path / "virtual", 30)
    patients = patients_of(cohort)
    assert len(patients) == 30
    assert patients.virtual
    assert len(set(patients.contents)) == 30
    table = FeatureTable.load(cohort / "features.npz")
    place = {name: index for index, name in enumerate(table.patient_ids)}
    for name, pet in zip(patients.ids, patients.pet, strict=True):
        own = table.patient(place[name]).lesions
        assert pet.suv_max == own.suv_max.max()  # as measured, with noise
    truth = FeatureTable.load(cohort / "truth.npz")
    assert not np.allclose(truth.lesions.suv_max, table.lesions.suv_max)


def test_measures_inside_the_contour_of_a_study(tmp_path: Path) -> None:
    cohort = fakes.cohort(tmp_path / "c", "A", "B")
    seen: list[tuple[int, int]] = []
    patients, origins = patients_with_origins(cohort, progress=lambda done, of: seen.append((done, of)))
    assert (origins.reference, origins.segmented, origins.table) == (2, 0, 0)
    assert patients.pet[0].tmtv_ml == pytest.approx(fakes.HOT_ML)
    assert patients.pet[0].suv_max == 9.0
    assert (patients.pet[0].lesion_count, patients.pet[0].dmax_bulk_mm) == (1, 0.0)
    assert patients.pet[0].sdmax_per_m is None  # NIfTI has no height
    assert seen[-1] == (4, 4)  # two checked, two measured
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_measures_are_kept_until_the_files_change(tmp_path: Path) -> None:
    cohort = fakes.cohort(tmp_path / "c", "A")
    first = patients_of(cohort)
    kept = json.loads((cohort / CACHE_NAME).read_text())
    (key,) = kept["measures"]
    kept["measures"][key]["suv_peak"] = 5.5
    (cohort / CACHE_NAME).write_text(json.dumps(kept))
    assert patients_of(cohort).pet[0].suv_peak == 5.5  # read, not measured again
    fakes.study(cohort / "studies" / "A", seed=77)
    again = patients_of(cohort)
    assert again.pet == first.pet  # the lesion is the same, the background is not
    assert again.contents != first.contents
    (cohort / CACHE_NAME).write_text("{")
    assert patients_of(cohort).pet == first.pet


def test_a_study_without_a_contour_is_segmented_and_said(tmp_path: Path) -> None:
    cohort = fakes.cohort(tmp_path / "c", "A")
    fakes.table(cohort, fakes.row("A", reference=""))
    by_threshold = Settings.model_validate({"segmentation": {"method": "suv4"}})
    patients, origins = patients_with_origins(cohort, by_threshold)
    assert (origins.segmented, origins.reference) == (1, 0)
    assert origins.method == "suv4, 3 mL"
    assert patients.pet[0].tmtv_ml == pytest.approx(fakes.HOT_ML)
    other = Settings.model_validate({"segmentation": {"method": "suv4", "min_volume_ml": 50}})
    assert patients_of(cohort, other).pet[0].tmtv_ml == 0.0  # another rule is measured anew


def test_a_scan_that_the_networks_do_not_know_is_not_measured(tmp_path: Path) -> None:
    """The reviewer is asked by default, and a cube is no patient."""
    cohort = fakes.cohort(tmp_path / "c", "A")
    fakes.table(cohort, fakes.row("A", reference=""))
    patients, origins = patients_with_origins(cohort)
    assert (origins.segmented, origins.unmeasured) == (0, 1)
    assert patients.pet[0].tmtv_ml is None


def test_a_segmentation_that_is_not_installed_is_an_error(tmp_path: Path) -> None:
    cohort = fakes.cohort(tmp_path / "c", "A")
    fakes.table(cohort, fakes.row("A", reference=""))
    with pytest.raises(Failed) as caught:
        patients_of(cohort, Settings.model_validate({"segmentation": {"method": "nnunet"}}))
    assert caught.value.code is Code.NOT_INSTALLED


def test_measures_told_go_before_images_and_rows_may_be_mixed(tmp_path: Path) -> None:
    cohort = fakes.cohort(tmp_path / "c", "A", "B")
    rows = (fakes.row("A"), fakes.row("B"), plain("C"), fakes.row("D"))  # D has no study folder
    folder(cohort, *rows, measures={"A": PET, "C": PET})
    patients, origins = patients_with_origins(cohort)
    assert patients.ids == ("A", "B", "C")
    assert patients.pet[0] == patients.pet[2] == PET
    assert patients.pet[1].tmtv_ml == pytest.approx(fakes.HOT_ML)
    assert (origins.table, origins.reference, origins.unusable) == (2, 1, 1)


def test_one_virtual_study_makes_the_cohort_virtual(tmp_path: Path) -> None:
    cohort = folder(tmp_path / "c", plain("A"), measures={"A": PET})
    (cohort / "cohort.json").write_text('{"name": "made", "virtual": true}')
    patients = patients_of(cohort)
    assert patients.virtual
    assert patients.cohort == "made"


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage):
        patients_of(tmp_path / "nowhere")
    cohort = folder(tmp_path / "c", plain("A"))
    with pytest.raises(Refused) as caught:
        patients_of(cohort)
    assert caught.value.code is Code.NO_USABLE_PATIENT
    for text in ("tmtv_ml\n5\n", "patient_id,tmtv_ml,tmtv_ml\nA,5,6\n"):
        (cohort / "measures.csv").write_text(text)
        with pytest.raises(Refused) as caught:
            patients_of(cohort)
        assert caught.value.code is Code.COHORT_TABLE


def test_measures_come_back_bit_for_bit(tmp_path: Path) -> None:
    given = {"A": PetMeasures(0.1 + 0.2, None, 1e-17, 3.0, 0, None, 2 / 3, None), "B,1": PET}
    write_measures(tmp_path / "measures.csv", given.items())
    assert read_measures(tmp_path / "measures.csv").measures == given


@pytest.mark.parametrize("text", ["abc", "-3", "nan", "inf", "1e999"])
def test_a_value_that_cannot_be_makes_the_row_unusable(tmp_path: Path, text: str) -> None:
    (tmp_path / "measures.csv").write_text(f"patient_id,tmtv_ml\nA,{text}\nB,7\n")
    found = read_measures(tmp_path / "measures.csv")
    assert found.unusable == {"A"}
    assert found.measures == {"B": PetMeasures(tmtv_ml=7.0)}


def test_a_patient_twice_or_half_a_lesion(tmp_path: Path) -> None:
    with (tmp_path / "measures.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("patient_id", "lesion_count"), ("A", "1"), ("A", "1"), ("B", "2.5"), ("C", "")])
    found = read_measures(tmp_path / "measures.csv")
    assert found.unusable == {"A", "B"}
    assert found.measures == {"C": PetMeasures()}


def test_a_dicom_study_is_measured_with_its_body_surface(tmp_path: Path, virtual_study: WrittenStudy) -> None:
    row = fakes.row("A", study=str(virtual_study.dicom), reference=str(virtual_study.lesions))
    patients, origins = patients_with_origins(folder(tmp_path / "c", row))
    assert patients.virtual
    assert origins.reference == 1
    pet = patients.pet[0]
    assert pet.lesion_count == 3
    lesions = Volume.load(virtual_study.lesions)
    assert pet.tmtv_ml == pytest.approx((lesions.array > 0).sum() * lesions.voxel_volume_ml, rel=1e-4)
    header = pydicom.dcmread(virtual_study.pet[0], stop_before_pixels=True)
    surface = body_surface_m2(float(header.PatientWeight), float(header.PatientSize))
    assert pet.dmax_mm is not None
    assert pet.sdmax_per_m == pytest.approx(pet.dmax_mm / 1000 / surface)
    assert (pet.dmax_bulk_mm or 0) <= pet.dmax_mm
