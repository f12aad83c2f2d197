"""The command line: help with an example, JSON on stdout, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from nodal import cli
from nodal.errors import Code, Failed, Refused, SettingsInvalid
from typer.testing import CliRunner

from tests.e2e.orthanc import free_port

pytestmark = pytest.mark.unit

COMMANDS = [command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    values = {"state_dir": str(tmp_path / "state"), "listener": {"port": free_port()}, "api": {"port": free_port()}}
    path = tmp_path / "node.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = CliRunner().invoke(cli.app, [command, "--help"])
    assert shown.exit_code == 0
    assert "Example:" in shown.output
    assert f"nodal {command}" in " ".join(shown.output.split())


def test_wrong_usage_exits_2() -> None:
    assert CliRunner().invoke(cli.app, ["process"]).exit_code == 2
    assert CliRunner().invoke(cli.app, ["unknown"]).exit_code == 2


def test_unreadable_settings_exit_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("listener: {prot: 11112}")
    with pytest.raises(SettingsInvalid, match="prot"):
        CliRunner().invoke(cli.app, ["doctor", "--config", str(path)], catch_exceptions=False)
    monkeypatch.setattr("sys.argv", ["nodal", "doctor", "--config", str(path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2


def test_a_refusal_is_json_where_json_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr("sys.argv", ["nodal", "process", str(tmp_path / "empty"), "--out", str(tmp_path), "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == Refused(Code.EMPTY_STUDY, "").exit_code == 3
    assert json.loads(capsys.readouterr().out)["refused"]["code"] == "EMPTY_STUDY"


def test_a_fresh_node_has_an_empty_trail(config: Path) -> None:
    shown = CliRunner().invoke(cli.app, ["audit", "--config", str(config), "--json"])
    assert (shown.exit_code, json.loads(shown.stdout)) == (0, [])


def test_jobs_of_a_node_that_never_ran_says_so(config: Path) -> None:
    with pytest.raises(Failed, match="no node has run"):
        CliRunner().invoke(cli.app, ["jobs", "--config", str(config)], catch_exceptions=False)


def test_an_unknown_job_has_its_code(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["nodal", "retry", "0" * 32 + "-r0", "--config", str(config)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1


def test_doctor_says_what_does_not_answer(config: Path) -> None:
    values = yaml.safe_load(config.read_text())
    values["destinations"] = [{"name": "gone", "host": "127.0.0.1", "port": free_port(), "ae_title": "GONE"}]
    config.write_text(yaml.safe_dump(values))
    shown = CliRunner().invoke(cli.app, ["doctor", "--config", str(config), "--json"])
    checks = {check["subject"]: check["state"] for check in json.loads(shown.stdout)}
    assert checks["settings"] == "good"
    assert checks["destination gone"] == "wrong"
    assert shown.exit_code == 1


@pytest.mark.parametrize("text", ["stage: 5", "ldh: 2", "extranodal_sites: [spleen]", "stage: ["])
def test_a_clinical_record_that_is_none_exits_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "patient.yaml").write_text(text)
    arguments = ["process", str(tmp_path), "--out", str(tmp_path / "out"), "--clinical", str(tmp_path / "patient.yaml")]
    monkeypatch.setattr("sys.argv", ["nodal", *arguments, "--config", str(config)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "patient.yaml is not a clinical record" in " ".join(capsys.readouterr().err.split())
