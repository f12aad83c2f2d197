"""``nodal evaluate``: what it prints and writes, whose predictions it takes, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from lymphoma.errors import NotComputable
from lymphoma.site.export import export_site
from nodal import cli
from nodal.cohort.about import About
from nodal.errors import Refused, WrongUsage
from typer.testing import CliRunner, Result

from tests.bundles import feature_cohort, feature_patients, site_bundle, site_fit

pytestmark = pytest.mark.unit

QUICK = ("--endpoint", "pfs", "--resamples", 100, "--permutations", 0)


@pytest.fixture(autouse=True)
def _logs_are_elsewhere() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


def run(*words: str | Path | int, catch: bool = True) -> Result:
    return CliRunner().invoke(cli.app, ["evaluate", *(str(word) for word in words)], catch_exceptions=catch)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return feature_cohort(tmp_path_factory.mktemp("cohort") / "virtual")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_bundle(tmp_path_factory.mktemp("bundles") / "site").folder


@pytest.fixture(scope="module")
def judged(cohort: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """The bundle on the cohort that it was trained on."""
    folder = tmp_path_factory.mktemp("reports") / "report"
    return run(bundle, "--cohort", cohort, "--out", folder, *QUICK, "--seed", 3, "--json"), folder


def test_a_bundle_is_judged_beside_the_baselines(judged: tuple[Result, Path]) -> None:
    """JSON on stdout, three files in the folder, all of one run."""
    shown, folder = judged
    assert shown.exit_code == 0, shown.output
    said = json.loads(shown.stdout)
    assert sorted(file.name for file in folder.iterdir()) == ["evaluation.html", "evaluation.json", "evaluation.pdf"]
    written = json.loads((folder / "evaluation.json").read_text())
    (result,) = written["endpoints"]
    assert said["virtual"] is written["virtual"] is True
    assert (result["protocol"]["label"], result["protocol"]["seed"]) == ("5-fold cross-validation", 3)
    assert written["resamples"] == 100
    keys = [one["model"]["key"] for one in result["results"]]
    assert keys[0] == "null"
    assert keys[-2:] == ["site E0", "site E0+impi"]
    figures = {one["model"]: one["harrell"]["value"] for one in said["endpoints"][0]["models"]}
    assert figures == {one["model"]["key"]: one["discrimination"]["harrell"]["value"] for one in result["results"]}


def test_training_patients_are_judged_out_of_fold(judged: tuple[Result, Path]) -> None:
    """Told by the content of the patients' files, and said in the report."""
    _, folder = judged
    (used,) = json.loads((folder / "evaluation.json").read_text())["provenance"]["bundles"]
    assert used["out_of_fold"] is True
    assert "each patient by its prediction without him or her" in (folder / "evaluation.html").read_text()


def test_no_patient_is_named(judged: tuple[Result, Path], cohort: Path) -> None:
    """Ids stay in the cohort folder."""
    _, folder = judged
    ids = feature_patients().ids
    for name in ("evaluation.json", "evaluation.html"):
        text = (folder / name).read_text()
        assert not [one for one in ids if one in text]


def test_without_out_of_fold_predictions_the_training_cohort_is_refused(cohort: Path, tmp_path: Path) -> None:
    """Apparent figures would flatter; exit 3 with the code."""
    export_site(tmp_path / "bundle", site_fit(), feature_patients(), name="bare", generator="A", keep_out_of_fold=False)
    with pytest.raises(NotComputable, match="SCORES_NOT_OUT_OF_FOLD"):
        run(tmp_path / "bundle", "--cohort", cohort, "--out", tmp_path / "report", *QUICK, catch=False)
    assert not (tmp_path / "report").exists()


def test_baselines_alone_on_one_centre(tmp_path: Path) -> None:
    """A table of the models, the sentences, the files; the centre is tested by the others."""
    folder = feature_cohort(tmp_path / "virtual", 240)
    rows = (folder / "cohort.csv").read_text().splitlines()
    at = rows[0].split(",").index("centre")
    halves = [row.split(",") for row in rows[1:]]
    for number, row in enumerate(halves):
        row[at] = ("North", "South")[number % 2]
    (folder / "cohort.csv").write_text("\n".join([rows[0], *(",".join(row) for row in halves)]) + "\n")
    shown = run("--cohort", folder, "--out", tmp_path / "report", "--centre", "South", *QUICK)
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.stdout.split())
    assert "centre South tested by the others" in text
    assert "IMPI refitted" in text
    assert "evaluation.pdf" in text
    (result,) = json.loads((tmp_path / "report" / "evaluation.json").read_text())["endpoints"]
    assert [fold["test_n"] for fold in result["protocol"]["folds"]] == [120]


def test_wrong_usage_is_said_before_the_work(cohort: Path, bundle: Path, tmp_path: Path) -> None:
    """Exit 2: a folder with other things in it, two bundles of one name, repeats of what has none, no such centre."""
    (tmp_path / "notes.txt").write_text("mine")
    out = tmp_path / "report"
    for words, said in (
        ((bundle, "--cohort", cohort, "--out", tmp_path), "notes.txt"),
        ((bundle, bundle, "--cohort", cohort, "--out", out), "site E0"),
        ((tmp_path / "none", "--cohort", cohort, "--out", out), "not a folder"),
        (("--cohort", tmp_path / "none", "--out", out), "not a folder"),
        (("--cohort", cohort, "--out", out, "--protocol", "centres", "--repeats", 2), "cv5"),
        (("--cohort", cohort, "--out", out, "--centre", "Nowhere"), "Nowhere"),
    ):
        with pytest.raises(WrongUsage, match=said):
            run(*words, *QUICK, catch=False)
    assert run("--cohort", cohort, "--out", out, "--protocol", "cv7").exit_code == 2
    assert run("--cohort", cohort, "--out", out, "--resamples", 5).exit_code == 2
    assert not out.exists()


def test_a_cohort_without_outcomes_is_refused(tmp_path: Path) -> None:
    """Exit 3: there is nobody to judge on."""
    About("empty").write(tmp_path)
    (tmp_path / "cohort.csv").write_text("patient_id,study,age\nP1,,60\nP2,,70\n")
    with pytest.raises(Refused, match="NO_USABLE_PATIENT"):
        run("--cohort", tmp_path, "--out", tmp_path / "report", *QUICK, catch=False)
