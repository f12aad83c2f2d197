"""Inputs of patients in a folder, and the cohort that is read from them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import input_cohort
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

pytestmark = pytest.mark.unit

SOURCE = InputSource("made up", True, "multitask_unet", "true lesions, 112 x 32 x 32")


def one(number: int) -> KnownPatient:
    content = hashlib.sha256(str(number).encode()).hexdigest()
    pet = PetMeasures(100.0 + number, 400.0, 12.0, 10.0, 3, 200.0, 150.0, 0.1)
    arrays = {
        "pet": np.full((2, 3, 4), number, dtype=np.float16),
        "lesions": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    }
    outcomes = {"pfs": Outcome(12.0 + number, True), "os": None}
    return KnownPatient(content, "centre", ClinicalFactors(age_years=60.0 + number), pet, outcomes, arrays)


def folder_of(path: Path, numbers: range) -> InputFolder:
    folder = InputFolder.make(path / "inputs", SOURCE)
    for number in numbers:
        folder.keep(one(number))
    return folder


def test_what_was_kept_is_read_back(tmp_path: Path) -> None:
    folder_of(tmp_path, range(4))
    cohort = input_cohort(InputFolder.open(tmp_path / "inputs"))
    assert len(cohort) == 4
    place = {content: at for at, content in enumerate(cohort.patients.contents)}
    for number in range(4):
        kept = one(number)
        at = place[kept.content]
        arrays = cohort.read(at)
        assert arrays["pet"].dtype == np.float16
        assert arrays["pet"].tolist() == kept.arrays["pet"].tolist()
        assert arrays["lesions"].tolist() == kept.arrays["lesions"].tolist()
        assert cohort.patients.clinical[at] == kept.clinical
        assert cohort.patients.pet[at] == kept.pet
        assert cohort.patients.outcomes["pfs"][at] == kept.outcomes["pfs"]
        assert cohort.patients.outcomes["os"][at] is None


def test_part_of_a_cohort_reads_its_own_patients(tmp_path: Path) -> None:
    cohort = input_cohort(folder_of(tmp_path, range(5)))
    part = cohort.take([3, 1])
    assert part.patients.contents == (cohort.patients.contents[3], cohort.patients.contents[1])
    assert part.read(0)["pet"].tolist() == cohort.read(3)["pet"].tolist()


def test_patients_of_a_cohort_keep_their_ids_and_order(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, range(5))
    whole = input_cohort(folder).patients
    named = replace(whole, ids=tuple(f"P{at}" for at in range(5))).take([4, 2, 0])
    missing = replace(named, contents=("f" * 64, *named.contents[1:]))
    found = input_cohort(folder, missing)
    assert found.patients.ids == named.ids[1:]
    assert found.patients.contents == named.contents[1:]


def test_nobody_with_inputs_is_refused(tmp_path: Path) -> None:
    folder = InputFolder.make(tmp_path / "inputs", SOURCE)
    with pytest.raises(NotComputable, match="NO_USABLE_PATIENT"):
        input_cohort(folder)


def test_another_way_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, range(1))
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        InputFolder.make(tmp_path / "inputs", replace(SOURCE, way="another"))


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    cohort = input_cohort(folder_of(tmp_path, range(1)))
    file = next((tmp_path / "inputs" / "patients").iterdir())
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(NotComputable, match="FEATURES_UNREADABLE"):
        cohort.read(0)
