"""``nodal calibrate``, ``nodal qualify`` and ``nodal combine``: what they write, refuse, print, and how they exit."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from lymphoma.combined import COMBINED
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.evaluation.acceptance import verify_acceptance
from lymphoma.prognosis.system import SYSTEMS
from lymphoma.site.export import export_site
from lymphoma.training.bundle import Bundle, load_bundle, write_evidence
from nodal import cli
from nodal.errors import Failed, NodalError, Refused, WrongUsage
from nodal.evaluation.calibrate import calibrate
from nodal.prognosis.site_key import make_site_key, read_site_key, refuse_unsigned
from typer.testing import CliRunner, Result

from tests.bundles import feature_cohort, feature_patients, site_bundle, site_fit

pytestmark = pytest.mark.unit

OTHERS = 6_000_000
"""Seed of patients that no bundle here was trained on."""
KNOWN = (*SYSTEMS, COMBINED)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of both levels, and one cohort of 400 as virtual and as real patients."""
    folder = tmp_path_factory.mktemp("accepting")
    site_bundle(folder / "e0")
    site_bundle(folder / "e1", "E1", accepted=False)
    feature_cohort(folder / "virtual", 400, seed=OTHERS)
    feature_cohort(folder / "real", 400, seed=OTHERS, virtual=False)
    return folder


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of its own; the log is caught."""
    monkeypatch.setenv("NODAL_STATE_DIR", str(tmp_path / "state"))
    with structlog.testing.capture_logs():
        yield tmp_path / "state"


def copy(place: Path, name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(place / name, tmp_path / name))


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def opened(folder: Path, *, accepted: bool = False) -> Bundle:
    return load_bundle(folder, KNOWN, for_acceptance=not accepted)


def test_calibrate_records_the_correction_and_the_bundle_applies_it(place: Path, tmp_path: Path) -> None:
    folder = copy(place, "e0", tmp_path)
    before = opened(folder)
    shown = run("calibrate", folder, "--cohort", place / "virtual", "--by", "A. Physician", "--json")
    assert shown.exit_code == 0, shown.exception
    said = json.loads(shown.stdout)
    pfs, os = said["endpoints"]
    assert os["code"] == "TOO_FEW_EVENTS"
    after = opened(folder, accepted=True)
    (record,) = after.evidence.recalibrations
    assert (record.endpoint, record.by, record.correction.n) == ("pfs", "A. Physician", 400)
    assert record.correction.slope == pfs["result"]["recalibration"]["slope"]
    assert after.digest == before.digest
    plain, corrected = before.survival("pfs"), after.survival("pfs")
    assert plain is not None
    assert corrected is not None
    assert corrected.recalibration == record.correction
    prospect = feature_patients(60, OTHERS).prospect(0)
    assert plain.predict(prospect).curve[0, 24] != corrected.predict(prospect).curve[0, 24]
    assert said["needs_acceptance"] is False


def test_a_dry_run_writes_nothing(place: Path, tmp_path: Path) -> None:
    folder = copy(place, "e0", tmp_path)
    shown = run("calibrate", folder, "--cohort", place / "virtual", "--dry-run")
    assert shown.exit_code == 0, shown.exception
    assert "intercept" in shown.stdout
    assert opened(folder).evidence.recalibrations == ()


def test_calibrating_takes_the_acceptance_away(place: Path, tmp_path: Path) -> None:
    made = site_bundle(tmp_path / "site", "E1")
    assert opened(made.folder, accepted=True).evidence.acceptance is not None
    shown = run("calibrate", made.folder, "--cohort", place / "real")
    assert shown.exit_code == 0, shown.exception
    assert "qualify" in shown.stdout
    with pytest.raises(BundleRefused) as refused:
        opened(made.folder, accepted=True)
    assert refused.value.code == "BUNDLE_NOT_ACCEPTED"


def test_a_correction_that_was_slipped_in_voids_the_acceptance(place: Path, tmp_path: Path) -> None:
    folder = copy(place, "e1", tmp_path)
    assert run("qualify", folder, "--cohort", place / "real", "--by", "me").exit_code == 0
    other = copy(place, "e0", tmp_path)
    assert run("calibrate", other, "--cohort", place / "virtual").exit_code == 0
    bundle = opened(folder, accepted=True)
    write_evidence(bundle, replace(bundle.evidence, recalibrations=opened(other).evidence.recalibrations))
    with pytest.raises(BundleRefused) as refused:
        opened(folder, accepted=True)
    assert refused.value.code == "BUNDLE_NOT_ACCEPTED"


@pytest.mark.parametrize("command", ["calibrate", "qualify", "combine"])
def test_a_virtual_cohort_says_nothing_of_a_bundle_trained_on_patients(
    place: Path, tmp_path: Path, command: str
) -> None:
    words = {"calibrate": [], "qualify": ["--by", "me"], "combine": ["--out", str(tmp_path / "out")]}[command]
    found = run(command, place / "e1", "--cohort", place / "virtual", *words).exception
    assert isinstance(found, NodalError)
    assert (found.code, found.exit_code) == ("COHORT_VIRTUAL", 3)


def test_the_training_cohort_is_refused_without_out_of_fold_predictions(tmp_path: Path) -> None:
    patients = feature_patients()
    export_site(tmp_path / "site", site_fit(), patients, name="site", keep_out_of_fold=False)
    with pytest.raises(Refused) as refused:
        calibrate(tmp_path / "site", patients, by="me", at="2026-01-01T00:00:00Z")
    assert refused.value.code == "SCORES_NOT_OUT_OF_FOLD"
    site_bundle(tmp_path / "kept")
    done = calibrate(tmp_path / "kept", patients, by="me", at="2026-01-01T00:00:00Z")
    # Judged on itself a Cox model has a slope of exactly 1; out of fold it is the one its evidence states.
    result = done.endpoints[0].result
    assert result is not None
    stated = {one.name: one.value for one in opened(tmp_path / "kept").evidence.metrics}["pfs_calibration_slope"]
    assert result.recalibration.slope == pytest.approx(stated, abs=1e-6)
    assert result.recalibration.slope < 0.99


def test_fewer_than_100_events_calibrate_nothing(tmp_path: Path) -> None:
    site_bundle(tmp_path / "site")
    with pytest.raises(NotComputable) as refused:
        calibrate(tmp_path / "site", feature_patients(200, OTHERS), by="me", at="2026-01-01T00:00:00Z")
    assert refused.value.code == "TOO_FEW_EVENTS"
    assert opened(tmp_path / "site").evidence.recalibrations == ()


def test_a_passed_run_enables_the_bundle_and_is_signed_by_the_sites_key(
    place: Path, tmp_path: Path, state: Path
) -> None:
    folder = copy(place, "e1", tmp_path)
    with pytest.raises(BundleRefused):
        opened(folder, accepted=True)
    shown = run("qualify", folder, "--cohort", place / "real", "--by", "A. Physician", "--json")
    assert shown.exit_code == 0, shown.exception
    said = json.loads(shown.stdout)
    assert said["enabled"] is True
    bundle = opened(folder, accepted=True)
    acceptance, key = bundle.evidence.acceptance, read_site_key(state)
    assert acceptance is not None
    assert key is not None
    assert verify_acceptance(acceptance, key)
    assert not verify_acceptance(replace(acceptance, n=acceptance.n + 1), key)
    assert (acceptance.bundle_digest, acceptance.by) == (bundle.digest, "A. Physician")
    report = json.loads(Path(said["report"]).read_text())
    assert report["acceptance"]["signature"] == acceptance.signature
    assert report["limits"]["events"] == 50
    text = Path(said["report"]).read_text() + (folder / "evidence.json").read_text()
    ids = feature_patients(400, OTHERS).ids
    assert not any(one in text for one in ids)


def test_an_acceptance_of_another_site_or_without_a_signature_does_not_count(
    place: Path, tmp_path: Path, state: Path
) -> None:
    folder = copy(place, "e1", tmp_path)
    assert run("qualify", folder, "--cohort", place / "real", "--by", "me").exit_code == 0
    bundle = opened(folder, accepted=True)
    refuse_unsigned(bundle, read_site_key(state))
    for key in (b"another site's key of 32 bytes...", None):
        with pytest.raises(BundleRefused) as refused:
            refuse_unsigned(bundle, key)
        assert refused.value.code == "BUNDLE_NOT_ACCEPTED"
    with pytest.raises(BundleRefused):
        refuse_unsigned(site_bundle(tmp_path / "unsigned", "E1"), read_site_key(state))
    refuse_unsigned(opened(place / "e0"), None)


def test_a_correction_is_accepted_on_patients_left_out_of_it(place: Path, tmp_path: Path) -> None:
    folder = copy(place, "e0", tmp_path)
    assert run("calibrate", folder, "--cohort", place / "virtual").exit_code == 0
    shown = run("qualify", folder, "--cohort", place / "virtual", "--by", "me", "--json")
    checks = {one["name"]: one["value"] for one in json.loads(shown.stdout)["acceptance"]["checks"]}
    # Judged on the patients it was fitted on it would be 1 to the last digit.
    assert checks["pfs calibration slope"] != pytest.approx(1, abs=1e-4)


def test_a_failed_run_is_kept_and_the_bundle_stays_disabled(place: Path, tmp_path: Path) -> None:
    folder = copy(place, "e1", tmp_path)
    shown = run("qualify", folder, "--cohort", place / "real", "--by", "me", "--limit", "events=5000")
    assert shown.exit_code == 1
    assert "NOT passed" in shown.stdout
    acceptance = opened(folder).evidence.acceptance
    assert acceptance is not None
    assert not acceptance.passed
    assert {check.name for check in acceptance.checks if not check.passed} == {"pfs events", "os events"}
    with pytest.raises(BundleRefused):
        opened(folder, accepted=True)
    assert [one.name.endswith("-failed.json") for one in (folder / "acceptance").iterdir()] == [True]


def test_a_bundle_of_virtual_patients_may_be_run_and_stays_what_it_is(place: Path, tmp_path: Path) -> None:
    folder = copy(place, "e0", tmp_path)
    shown = run("qualify", folder, "--cohort", place / "real", "--by", "me")
    assert shown.exit_code == 0, shown.exception
    bundle = opened(folder, accepted=True)
    assert bundle.evidence.level == "E0"
    assert bundle.evidence.acceptance is not None


@pytest.mark.parametrize("limit", ["slope=1", "events=many", "events=-1", "slope_low=2", "events"])
def test_a_limit_that_makes_no_sense_is_wrong_usage(place: Path, limit: str) -> None:
    found = run("qualify", place / "e1", "--cohort", place / "real", "--by", "me", "--limit", limit).exception
    assert isinstance(found, WrongUsage)


def test_a_changed_file_is_refused_before_anything_is_judged(place: Path, tmp_path: Path) -> None:
    folder = copy(place, "e1", tmp_path)
    file = folder / "survival" / "pfs.json"
    file.write_text(file.read_text().replace("0.", "1.", 1))
    found = run("qualify", folder, "--cohort", place / "real", "--by", "me").exception
    assert isinstance(found, BundleRefused)
    assert found.code == "BUNDLE_DIGEST_MISMATCH"


def test_combine_makes_a_bundle_that_is_disabled_until_it_is_accepted(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "combined"
    shown = run("combine", place / "e1", "--cohort", place / "real", "--out", out, "--json")
    assert shown.exit_code == 0, shown.exception
    said = json.loads(shown.stdout)
    assert (said["level"], said["needs_acceptance"]) == ("E1", True)
    assert {name for name, _ in said["endpoints"][0]["weights"]} == {"site", "impi"}
    with pytest.raises(BundleRefused):
        opened(out, accepted=True)
    without = run("qualify", out, "--cohort", place / "real", "--by", "me").exception
    assert isinstance(without, WrongUsage)
    other = run("qualify", out, "--cohort", place / "real", "--by", "me", "--part", place / "e0").exception
    assert isinstance(other, WrongUsage)
    assert run("qualify", out, "--cohort", place / "real", "--by", "me", "--part", place / "e1").exit_code == 0
    assert opened(out, accepted=True).evidence.level == "E1"
    again = run("combine", place / "e1", "--cohort", place / "real", "--out", out).exception
    assert isinstance(again, BundleRefused)
    for words in (["calibrate", out], ["combine", out, "--out", tmp_path / "more"]):
        assert isinstance(run(*words, "--cohort", place / "real").exception, WrongUsage)


def test_two_bundles_of_one_system_are_not_combined(place: Path, tmp_path: Path) -> None:
    site_bundle(tmp_path / "second", "E1")
    words = ("combine", place / "e1", tmp_path / "second", "--cohort", place / "real", "--out", tmp_path / "out")
    assert isinstance(run(*words).exception, WrongUsage)


def test_the_key_is_made_once_and_for_its_owner_alone(state: Path) -> None:
    assert read_site_key(state) is None
    key = make_site_key(state)
    file = state / "acceptance.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert make_site_key(state) == read_site_key(state) == key
    assert len(key) == 32
    assert [one.name for one in state.iterdir()] == ["acceptance.key"]
    file.chmod(0o640)
    with pytest.raises(Failed):
        read_site_key(state)
    file.chmod(0o600)
    file.write_bytes(b"short")
    with pytest.raises(Failed):
        make_site_key(state)
