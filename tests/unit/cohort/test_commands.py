"""``nodal cohort`` and ``nodal import-cohort``: what they print and how they exit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from nodal import cli
from nodal.errors import WrongUsage
from typer.testing import CliRunner, Result

from tests.unit.cohort.fakes import cohort as good_cohort
from tests.unit.cohort.fakes import ct, mask, row, suv, table

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _logs_are_elsewhere() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def test_the_table_names_each_patient_and_why(tmp_path: Path) -> None:
    good_cohort(tmp_path, "A", "B")
    table(tmp_path, row("A"), row("B", pfs_months="-1"))
    shown = run("cohort", tmp_path)
    assert shown.exit_code == 0
    for expected in ("2 of 2", "OUTCOME_IMPLAUSIBLE", "3.4"):
        assert expected in " ".join(shown.stdout.split())


def test_what_all_patients_share_is_said_once(tmp_path: Path) -> None:
    good_cohort(tmp_path, "A", "B", "C")
    nothing = dict.fromkeys(("pfs_months", "pfs_event", "os_months", "os_event"), "")
    table(tmp_path, *(row(name, **nothing) for name in "ABC"))
    shown = run("cohort", tmp_path).stdout
    assert shown.count("NO_FOLLOW_UP") == 1
    assert "every patient" in shown


def test_json_holds_the_whole_report(tmp_path: Path) -> None:
    shown = run("cohort", good_cohort(tmp_path, "A"), "--json")
    report = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert report["summary"]["usable"] == 1
    assert report["patients"][0]["uses"] == ["segmentation", "pfs", "os"]
    assert "refused" not in report


def test_nobody_usable_exits_3_and_still_says_why(tmp_path: Path) -> None:
    table(tmp_path, row("A"))
    shown = run("cohort", tmp_path, "--json")
    report = json.loads(shown.stdout)
    assert shown.exit_code == 3
    assert report["refused"]["code"] == "NO_USABLE_PATIENT"
    assert report["patients"][0]["faults"][0]["code"] == "STUDY_MISSING"
    assert run("cohort", tmp_path).exit_code == 3


def test_no_folder_is_wrong_usage_and_no_table_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, code in ((tmp_path / "nowhere", 2), (tmp_path, 3)):
        monkeypatch.setattr("sys.argv", ["nodal", "cohort", str(folder), "--json"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == code
    assert '"COHORT_TABLE"' in capsys.readouterr().out


def test_an_import_says_what_it_made(tmp_path: Path) -> None:
    source = tmp_path / "source/P/S"
    source.mkdir(parents=True)
    for name, volume in (("SUV", suv()), ("CTres", ct()), ("SEG", mask())):
        volume.save(source / f"{name}.nii.gz")
    shown = run("import-cohort", "autopet", tmp_path / "source", "--out", tmp_path / "out", "--json")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["patients"] == 1
    with pytest.raises(WrongUsage, match="one of autopet"):
        CliRunner().invoke(
            cli.app, ["import-cohort", "other", str(source), "--out", str(tmp_path / "o")], catch_exceptions=False
        )
