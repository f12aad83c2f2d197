"""The folder of pooled features: what is written comes back, under no name, and nothing else is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.errors import NotComputable
from lymphoma.lamp.patients import cohort_of_folder, cohort_of_patients
from lymphoma.prognosis.feature_folder import FeatureFolder
from lymphoma.training.case import Outcome

from tests.unit.lamp.cohorts import SOURCE, cohort, patient, renamed

pytestmark = pytest.mark.unit


def filled(folder: Path, *patients: object) -> FeatureFolder:
    made = FeatureFolder.make(folder, SOURCE)
    for one in patients:
        made.add(one)  # type: ignore[arg-type]
    return made


def test_everything_comes_back(tmp_path: Path) -> None:
    one = replace(patient(1), truth=b"npz")
    filled(tmp_path / "f", one)
    found = FeatureFolder.open(tmp_path / "f").read(one.content)
    assert (found.clinical, found.pet, found.centre, found.truth) == (one.clinical, one.pet, one.centre, b"npz")
    assert found.outcomes == one.outcomes
    for name in ("lesions", "organs", "present"):
        assert np.array_equal(getattr(found.pooled, name), getattr(one.pooled, name))
    assert found.pooled.network == SOURCE.network
    assert found.pooled.organ_names == SOURCE.organ_names


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    filled(tmp_path / "f", patient(1))
    again = FeatureFolder.make(tmp_path / "f", SOURCE)
    assert patient(1).content in again
    again.add(patient(2))
    assert len(FeatureFolder.open(tmp_path / "f")) == 2


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    folder, one = filled(tmp_path / "f", patient(1)), patient(1)
    file = tmp_path / "f" / "patients" / f"{one.content}.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"xxxx")
    with pytest.raises(NotComputable, match="FEATURES_UNREADABLE"):
        folder.read(one.content)
    with pytest.raises(NotComputable, match="FEATURES_UNREADABLE"):
        folder.read(patient(2).content)
    with pytest.raises(NotComputable, match="FEATURES_UNREADABLE"):
        FeatureFolder.open(tmp_path / "elsewhere")


def test_features_of_another_network_do_not_mix(tmp_path: Path) -> None:
    folder = filled(tmp_path / "f", patient(1))
    other = patient(2)
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        folder.add(replace(other, pooled=renamed(other.pooled, "b" * 64)))
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        FeatureFolder.make(tmp_path / "f", replace(SOURCE, way="another threshold"))


def test_nobody_is_named_on_disk(tmp_path: Path) -> None:
    filled(tmp_path / "f", patient(1))
    with pytest.raises(ValueError, match="digest"):
        FeatureFolder.make(tmp_path / "f", SOURCE).add(replace(patient(1), content="NODAL-V-1"))
    names = [file.stem for file in (tmp_path / "f").rglob("*") if file.is_file()]
    assert sorted(names) == sorted(["index", patient(1).content])


def test_a_patient_without_a_lesion_is_counted_and_left_out(tmp_path: Path) -> None:
    folder = filled(tmp_path / "f", patient(1), patient(2, lesions=0))
    found = cohort_of_folder(folder)
    assert (len(found), found.without_lesion) == (1, 1)
    empty = filled(tmp_path / "g", patient(2, lesions=0))
    with pytest.raises(NotComputable, match="NO_USABLE_PATIENT"):
        cohort_of_folder(empty)


def test_a_cohort_has_the_last_word_on_outcomes(tmp_path: Path) -> None:
    whole = cohort(3)
    told = replace(whole.patients, outcomes={**whole.patients.outcomes, "os": (Outcome(7.0, True),) * 3})
    folder = filled(tmp_path / "f", patient(0), patient(2))
    found = cohort_of_patients(folder, told)
    assert found.patients.ids == ("P0000", "P0002")
    assert found.patients.outcomes["os"] == (Outcome(7.0, True),) * 2
    assert found.patients.outcomes["pfs"] == (whole.patients.outcomes["pfs"][0], whole.patients.outcomes["pfs"][2])


def test_patients_are_taken_in_the_order_asked_for() -> None:
    whole = cohort(4)
    part = whole.take([2, 0])
    assert part.patients.contents == (whole.patients.contents[2], whole.patients.contents[0])
    assert np.array_equal(part.pooled[0].lesions, whole.pooled[2].lesions)
