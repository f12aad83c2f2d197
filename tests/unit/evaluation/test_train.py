"""``nodal train``: from a cohort folder to a bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lymphoma.errors import BundleRefused
from lymphoma.prognosis.system import SYSTEMS
from lymphoma.training.bundle import load_bundle
from nodal import cli
from nodal.errors import Code, Failed, WrongUsage
from nodal.evaluation import train as training_module
from nodal.evaluation.train import Training, train
from typer.testing import CliRunner

from tests.bundles import feature_cohort, site_fit

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return feature_cohort(tmp_path_factory.mktemp("cohort") / "virtual")


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli.app, ["train", *words])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_makes_a_bundle_that_loads(cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "site"
    code, shown, _ = run("site", "--cohort", str(cohort), "--out", str(out), "--name", "ours", "--json")
    assert code == 0
    told = json.loads(shown)
    bundle = load_bundle(out, ("site",))
    assert (told["digest"], told["name"], told["evidence"]) == (bundle.digest, "ours", "E0")
    assert (told["trained"], told["enabled"]) == (True, True)
    assert [one["endpoint"] for one in told["endpoints"]] == ["pfs", "os"]
    assert told["origins"]["table"] == 600
    fitted = site_fit().endpoints[0].fit
    assert told["endpoints"][0]["cutoffs"] == list(fitted.model.cutoffs)
    assert told["endpoints"][0]["harrell_c"][0] == fitted.concordance.estimate
    assert "generator" in (bundle.metadata.nodal.generator or "")
    assert bundle.out_of_fold() is not None


def test_the_table_says_what_was_made(cohort: Path, tmp_path: Path) -> None:
    code, shown, _ = run(
        "site", "--cohort", str(cohort), "--out", str(tmp_path / "b"), "--endpoint", "os", "--groups", "terciles",
        "--without-out-of-fold",
    )  # fmt: skip
    assert code == 0
    flat = " ".join(shown.split())
    assert "trained on virtual patients: not for clinical use" in flat
    assert "600, 142" in flat
    bundle = load_bundle(tmp_path / "b", ("site",))
    assert bundle.survival("pfs") is None
    model = bundle.survival("os")
    assert model is not None
    assert [group.name for group in model.groups] == ["low", "intermediate", "high"]
    assert bundle.out_of_fold() is None


def test_a_cohort_of_patients_waits_for_its_acceptance(tmp_path: Path) -> None:
    real = feature_cohort(tmp_path / "north", 300, virtual=False)
    result = train(Training("site", real, tmp_path / "site"))
    assert (result.evidence, result.enabled) == ("E1", False)
    with pytest.raises(BundleRefused, match="BUNDLE_NOT_ACCEPTED"):
        load_bundle(tmp_path / "site", ("site",))


def test_the_same_cohort_gives_the_same_bytes(cohort: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(Training("site", cohort, tmp_path / name, name="x", endpoints=("pfs",)))
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two


def test_what_cannot_be_meant(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongUsage, match="none of the systems"):
        Training("oracle", cohort, tmp_path / "b")
    assert set(training_module.TRAINED_HERE) == set(SYSTEMS)
    monkeypatch.setattr(training_module, "TRAINED_HERE", ("site",))
    with pytest.raises(Failed, match="dfr_signature is not trained by this version") as caught:
        Training("dfr_signature", cohort, tmp_path / "b")
    assert caught.value.code is Code.NOT_INSTALLED
    (tmp_path / "there").mkdir()
    with pytest.raises(BundleRefused, match="BUNDLE_EXISTS"):
        Training("site", cohort, tmp_path / "there")
