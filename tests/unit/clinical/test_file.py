"""A record in a file, in every form that it may have, and what is said of one that cannot be used."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lymphoma.survival.indices import EXTRANODAL_SITES
from nodal.api.clinical import ClinicalIn
from nodal.clinical.combine import AFTER_DAYS, BEFORE_DAYS, ORDER, record_of
from nodal.clinical.file import statements_beside, statements_of_file
from nodal.clinical.stored import from_plain, to_plain
from nodal.clinical.values import STATED_FIELDS
from nodal.errors import WrongUsage

from tests.conftest import ROOT

pytestmark = pytest.mark.unit


def written(folder: Path, text: str, name: str = "clinical.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_plain_fields_in_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "age_years": 61, "sex": "F", "stage": 3, "ldh_ratio": 1.4, "ecog": 0, "extranodal_sites": ["liver", "bone"],
        "bulky": False, "b_symptoms": None, "timepoint": "baseline", "weight_kg": 70, "entered_at": "20260111093000",
    }  # fmt: skip
    lines = "\n".join(f"{name}: {json.dumps(value)}" for name, value in fields.items())
    told = statements_of_file(written(tmp_path, lines))
    assert told == statements_of_file(written(tmp_path, json.dumps(fields), "clinical.json"))
    record = record_of(told.statements, study_date="20260110")
    assert (record.age_years, record.stage, record.bulky, record.b_symptoms) == (61.0, 3, False, None)
    assert record.extranodal_sites == ("bone", "liver")
    assert set(record.sources.values()) == {"file"}
    assert (record.timepoint, record.entered_at) == ("baseline", "20260111093000")


def test_a_field_with_its_date_and_words(tmp_path: Path) -> None:
    text = "by: ward 7\nstage: {value: 3, date: 2026-01-09, by: Dr A, said: IIIB}\nldh_ratio: {value: 2}\n"
    stage, ldh = statements_of_file(written(tmp_path, text)).statements
    assert (stage.value, stage.effective, stage.by, stage.said) == (3, "20260109", "Dr A", "IIIB")
    assert (ldh.value, ldh.effective, ldh.by, ldh.said) == (2.0, None, "ward 7", None)


@pytest.mark.parametrize("born", ["1960-03-01", "19600301", '"19600301"', '"1960-03-01"'])
def test_a_birth_date_as_yaml_reads_it(tmp_path: Path, born: str) -> None:
    told = statements_of_file(written(tmp_path, f"birth_date: {born}\n"))
    assert record_of(told.statements, study_date="20260301").age_years == 66.0


def test_whole_records_of_earlier_versions_keep_their_sources(tmp_path: Path) -> None:
    fields = {"stage": 2, "sex": "M", "sources": {"sex": "dicom"}, "dates": {"stage": "20260101"}}
    stage, sex = statements_of_file(written(tmp_path, json.dumps(fields))).statements
    assert (stage.source, stage.effective, sex.source) == ("file", "20260101", "dicom")


def test_without_an_entry_the_time_of_the_file_counts(tmp_path: Path) -> None:
    path = written(tmp_path, "stage: 2\n")
    os.utime(path, (1_768_000_000, 1_768_000_000))
    assert statements_of_file(path).statements[0].entered_at == "20260109230640+0000"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stage: 5", "stage: it is no whole number from 1 to 4"),
        ("ldh: 2", "no field is called ldh"),
        ("extranodal_sites: [spleen]", "adrenal, bone"),
        ("- stage", "holds no fields"),
        ("stage: [", "neither JSON nor YAML, line"),
        ("stage: {value: 3, when: 2026}", "when"),
        ("stage: {value: 3, date: soon}", "date"),
        ("entered_at: today\nstage: 3", "entered_at"),
        ("birth_date: 1960-13-01", "neither JSON nor YAML"),
        ('birth_date: "19601301"', "birth_date"),
    ],
)
def test_what_is_no_record_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        statements_of_file(written(tmp_path, text))
    assert said in caught.value.message
    assert "clinical.yaml" in caught.value.message


@pytest.mark.parametrize("value", ["4711", "DOE^JANE"])
def test_the_refusal_repeats_no_value(tmp_path: Path, value: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        statements_of_file(written(tmp_path, f"stage: {value}"))
    assert value not in caught.value.message


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="cannot read"):
        statements_of_file(tmp_path / "none.yaml")
    binary = tmp_path / "clinical.yml"
    binary.write_bytes(b"\xff\xfe\x00stage")
    with pytest.raises(WrongUsage, match="not UTF-8"):
        statements_of_file(binary)
    binary.write_bytes(b"#" * 1_000_001)
    with pytest.raises(WrongUsage, match="too large"):
        statements_of_file(binary)


def test_beside_a_study_one_file_is_read_and_two_are_refused(tmp_path: Path) -> None:
    assert statements_beside(tmp_path) is None
    (tmp_path / "deeper").mkdir()
    written(tmp_path / "deeper", "stage: 1\n")
    assert statements_beside(tmp_path) is None
    written(tmp_path, "stage: 2\n", "clinical.yml")
    beside = statements_beside(tmp_path)
    assert beside is not None
    assert [one.value for one in beside.statements] == [2]
    written(tmp_path, "stage: 2\n", "clinical.json")
    with pytest.raises(WrongUsage, match=r"clinical\.json, clinical\.yml"):
        statements_beside(tmp_path)


def test_statements_come_back_from_json_as_they_were(tmp_path: Path) -> None:
    text = "stage: 3\nldh_ratio: 2\nbulky: true\nextranodal_sites: []\nsex: F\nbirth_date: 19600301\n"
    told = statements_of_file(written(tmp_path, text))
    back = from_plain("H~1", json.loads(json.dumps(to_plain(told))))
    assert back.statements == told.statements
    assert [type(one.value) for one in back.statements] == [int, float, bool, tuple, str, str]
    assert back.patient_key == "H~1"


def test_a_record_stored_before_there_were_statements_is_read() -> None:
    plain = {
        "age_years": 61.0, "sex": None, "stage": 3, "ldh_ratio": None, "ecog": None, "extranodal_sites": ["liver"],
        "cell_of_origin": None, "bulky": False, "b_symptoms": None, "timepoint": "baseline",
        "entered_at": "20250101100000+0000", "sources": {"age_years": "api", "stage": "api"},
    }  # fmt: skip
    record = record_of(from_plain("H~1", plain).statements, study_date=None)
    assert (record.age_years, record.stage, record.extranodal_sites, record.bulky) == (61.0, 3, ("liver",), False)
    assert (record.timepoint, record.entered_at) == ("baseline", "20250101100000+0000")
    assert set(record.sources.values()) == {"api"}


class TestExamplesOfTheDocs:
    PAGE = (ROOT / "docs/how-to/clinical-records.md").read_text(encoding="utf-8")

    def block(self, info: str) -> str:
        found = re.search(rf"^```{info}\n(.*?)^```", self.PAGE, re.MULTILINE | re.DOTALL)
        assert found is not None
        return found[1]

    def test_the_file_is_a_record(self, tmp_path: Path) -> None:
        told = statements_of_file(written(tmp_path, self.block("yaml clinical")))
        record = record_of(told.statements, study_date="20260110")
        assert (record.stage, record.ldh_ratio, record.extranodal_sites) == (3, 2.0, ("bone_marrow", "liver"))
        assert record.said["stage"] == "IIIB"
        assert record.unusable == ()

    def test_the_request_is_a_record(self) -> None:
        told = ClinicalIn.model_validate_json(self.block("json clinical")).statements("~1", "api", datetime.now(UTC))
        record = record_of(told.statements, study_date="20260110")
        assert (record.stage, record.extranodal_sites, record.timepoint) == (3, (), "baseline")
        assert record_of(told.statements, study_date="20260501").timepoint is None

    def test_the_words_and_fields_are_listed(self) -> None:
        assert ", ".join(sorted(EXTRANODAL_SITES)) in self.PAGE.replace("\n", " ")
        assert all(f"`{name}`" in self.PAGE for name in STATED_FIELDS)
        assert f"{BEFORE_DAYS} days before or {AFTER_DAYS} days after" in self.PAGE
        assert re.findall(r"^\d\. `(\w+)`", self.PAGE, re.MULTILINE) == list(ORDER)
