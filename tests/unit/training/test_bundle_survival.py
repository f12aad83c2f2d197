"""Bundles that hold prognostic models: read as written, verified, corrected by their evidence; a network or none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.errors import BundleRefused
from lymphoma.prognosis.measures import PetMeasures, Prospect
from lymphoma.prognosis.model import Recalibration
from lymphoma.prognosis.store import OutOfFold, model_to_json
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.bundle import Bundle, Survival, export_bundle, load_bundle, write_evidence
from lymphoma.training.config import TrainConfig
from lymphoma.training.evidence import Acceptance, Check, CohortEvidence, EndpointEvidence, RecalibrationRecord
from lymphoma.training.files import file_sha256
from lymphoma.training.statistics import fit_statistics
from monai.bundle import ConfigParser

from tests.unit.prognosis.samples import model
from tests.unit.training.test_bundle import EVIDENCE, SAID, tensors

pytestmark = pytest.mark.unit

SYSTEMS = ("lamp", "site")
PATIENT = Prospect(ClinicalFactors(age_years=70.0, stage=4), PetMeasures(tmtv_ml=900.0))
PREDICTIONS = OutOfFold(5, {"pfs": {"a" * 64: 0.25, "b" * 64: -0.5}})
FIRST, LAST = (
    RecalibrationRecord("pfs", Recalibration(a, b, "North", 300, 120), "cd" * 32, "a physicist", "2026-01-01T00:00:00Z")
    for a, b in ((0.5, 1.1), (-0.3, 0.8))
)


def export(folder: Path, *, survival: Survival | None = None, **said: object) -> Bundle:
    statistics = fit_statistics(["a", "b"], np.random.default_rng(0).normal(size=(50, 2)))
    holds = Survival((model(),), PREDICTIONS) if survival is None else survival
    return export_bundle(folder, replace(SAID, system="site", **said), {}, None, statistics, EVIDENCE, survival=holds)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return export(tmp_path / "site")


def refused(folder: Path, code: str) -> None:
    with pytest.raises(BundleRefused) as caught:
        load_bundle(folder, SYSTEMS)
    assert caught.value.code == code


def relist(bundle: Bundle, name: str) -> None:
    """Makes the metadata agree with a changed file, as whoever wrote nonsense would."""
    path = bundle.folder / "configs/metadata.json"
    content = json.loads(path.read_text())
    for entry in content["nodal"]["files"]:
        if entry["file"] == name:
            entry["sha256"] = file_sha256(bundle.folder / name)
    path.write_text(json.dumps(content))


def test_what_is_exported_is_loaded(bundle: Bundle) -> None:
    loaded = load_bundle(bundle.folder, SYSTEMS)
    found = loaded.survival("pfs")
    assert found is not None
    assert model_to_json(found) == model_to_json(model())
    assert loaded.survival("os") is None
    assert loaded.out_of_fold() == PREDICTIONS
    assert loaded.config is None
    assert loaded.networks == ()
    assert loaded.digest == bundle.digest


def test_only_the_files_it_has(bundle: Bundle) -> None:
    files = {file.relative_to(bundle.folder).as_posix() for file in bundle.folder.rglob("*") if file.is_file()}
    assert files == {
        "configs/metadata.json",
        "docs/README.md",
        "evidence.json",
        "statistics.json",
        "survival/pfs.json",
        "survival/out_of_fold.json",
    }
    parser = ConfigParser()
    parser.read_meta(bundle.folder / "configs/metadata.json")
    assert parser["_meta_#nodal#system"] == "site"


def test_models_beside_a_network(tmp_path: Path) -> None:
    statistics = fit_statistics(["a", "b"], np.random.default_rng(0).normal(size=(50, 2)))
    given = (SAID, {"head": tensors(3)}, TrainConfig(steps=7), statistics, EVIDENCE)
    export_bundle(tmp_path / "lamp", *given, survival=Survival((model(),)))
    loaded = load_bundle(tmp_path / "lamp", SYSTEMS)
    assert loaded.config == TrainConfig(steps=7)
    assert loaded.networks == ("head",)
    assert loaded.survival("pfs") is not None
    assert loaded.out_of_fold() is None
    with pytest.raises(ValueError, match="configuration"):
        export_bundle(tmp_path / "other", SAID, {"head": tensors(3)}, None, statistics, EVIDENCE)


@pytest.mark.parametrize("name", ["survival/pfs.json", "survival/out_of_fold.json"])
def test_one_changed_bit_or_a_missing_file_is_refused(bundle: Bundle, name: str) -> None:
    file = bundle.folder / name
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)
    refused(bundle.folder, "BUNDLE_DIGEST_MISMATCH")
    file.unlink()
    refused(bundle.folder, "BUNDLE_FILE_MISSING")


def test_models_are_verified_again_when_they_are_read(bundle: Bundle) -> None:
    loaded = load_bundle(bundle.folder, SYSTEMS)
    (bundle.folder / "survival/pfs.json").write_text("{}")
    with pytest.raises(BundleRefused, match="BUNDLE_DIGEST_MISMATCH"):
        loaded.survival("pfs")


def test_nonsense_is_refused_when_the_bundle_is_loaded(bundle: Bundle) -> None:
    (bundle.folder / "survival/pfs.json").write_text("{}")
    relist(bundle, "survival/pfs.json")
    refused(bundle.folder, "BUNDLE_UNREADABLE")


def test_a_model_under_the_name_of_another_endpoint_is_refused(tmp_path: Path) -> None:
    bundle = export(tmp_path / "site", survival=Survival(further={"os": model_to_json(model())}))
    refused(bundle.folder, "BUNDLE_UNREADABLE")


def test_a_file_that_is_not_listed_is_refused(bundle: Bundle) -> None:
    (bundle.folder / "survival/os.json").write_text(model_to_json(model()))
    refused(bundle.folder, "BUNDLE_FILE_UNLISTED")


@pytest.mark.parametrize("name", ["survival/../../pfs.json", "/etc/hostname", "survival/pfs.pkl", "other.json"])
def test_a_strange_name_in_the_list_is_refused(bundle: Bundle, name: str) -> None:
    path = bundle.folder / "configs/metadata.json"
    content = json.loads(path.read_text())
    content["nodal"]["files"].append({"file": name, "sha256": "0" * 64})
    path.write_text(json.dumps(content))
    refused(bundle.folder, "BUNDLE_UNREADABLE")


def test_the_digest_covers_the_models(bundle: Bundle, tmp_path: Path) -> None:
    other = replace(model(), cutoffs=(model().cutoffs[0] + 0.1,))
    assert export(tmp_path / "b", survival=Survival((other,), PREDICTIONS)).digest != bundle.digest
    assert export(tmp_path / "c", name="another name").digest == bundle.digest


def test_further_files_of_a_system(tmp_path: Path) -> None:
    bundle = export(tmp_path / "site", survival=Survival((model(),), further={"combined_pfs": '{"weights": [1]}'}))
    loaded = load_bundle(bundle.folder, SYSTEMS)
    assert loaded.further("combined_pfs") == '{"weights": [1]}'
    assert loaded.further("combined_os") is None


@pytest.mark.parametrize("word", ["pfs", "../x", "Upper", ""])
def test_a_word_that_is_taken_or_no_plain_word(tmp_path: Path, word: str) -> None:
    with pytest.raises(ValueError, match="plain name"):
        export(tmp_path / "site", survival=Survival((model(),), further={word: "{}"}))


def test_the_last_recalibration_holds_and_leaves_the_digest(bundle: Bundle) -> None:
    write_evidence(bundle, replace(bundle.evidence, recalibrations=(FIRST, LAST)))
    loaded = load_bundle(bundle.folder, SYSTEMS)
    assert loaded.digest == bundle.digest
    found = loaded.survival("pfs")
    assert found is not None
    assert found.recalibration == LAST.correction
    wanted = model().recalibrated(LAST.correction).predict(PATIENT)
    assert np.array_equal(found.predict(PATIENT).curve, wanted.curve, equal_nan=True)


def test_a_recalibration_is_not_kept_in_the_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as they were fitted"):
        export(tmp_path / "site", survival=Survival((model().recalibrated(FIRST.correction),)))


def test_evidence_comes_back_whole(bundle: Bundle) -> None:
    figures = EndpointEvidence("pfs", 300, 120, 0.71, 0.66, 0.76, True)
    evidence = replace(
        bundle.evidence,
        internal=CohortEvidence("here", "ab" * 32, (figures,)),
        external=CohortEvidence("there", "cd" * 32, (figures,)),
        recalibrations=(FIRST,),
        acceptance=Acceptance(
            True,
            bundle.digest,
            "here",
            "ab" * 32,
            300,
            120,
            (Check("slope", 0.9, "0.8 to 1.2", True), Check("ici", None, "under 0.05", False)),
            "a physicist",
            "2026-01-01T00:00:00Z",
            "00ff",
        ),
    )
    write_evidence(bundle, evidence)
    assert load_bundle(bundle.folder, SYSTEMS).evidence == evidence
    assert evidence.internal is not None
    assert evidence.internal.of("pfs") == figures
    assert evidence.internal.of("os") is None


def test_evidence_written_before_these_fields_is_read(bundle: Bundle) -> None:
    path = bundle.folder / "evidence.json"
    content = json.loads(path.read_text())
    for name in ("internal", "external", "recalibrations"):
        content.pop(name)
    path.write_text(json.dumps({**content, "acceptance": {"passed": True, "bundle_digest": bundle.digest}}))
    relist(bundle, "evidence.json")
    acceptance = load_bundle(bundle.folder, SYSTEMS).evidence.acceptance
    assert acceptance == Acceptance(True, bundle.digest)


def test_the_card_holds_the_models(bundle: Bundle) -> None:
    card = (bundle.folder / "docs/README.md").read_text()
    row = model().cox.table()[0]
    assert "## Model of progression-free survival" in card
    assert f"| log(tmtv_ml) | {row.coefficient:.4f} | {row.hazard_ratio:.3f} |" in card
    assert f"{model().cox.n} patients, {model().cox.events} events." in card
    assert "judged by this model itself" in card
    assert "Survival is said at 12, 36, 60 months" in card


def test_evidence_survives_a_kill_between_its_two_files(bundle: Bundle) -> None:
    evidence, metadata = bundle.folder / "evidence.json", bundle.folder / "configs/metadata.json"
    old = evidence.read_bytes(), metadata.read_bytes()
    write_evidence(bundle, replace(bundle.evidence, recalibrations=(FIRST,)))
    new = evidence.read_bytes(), metadata.read_bytes()
    ready = bundle.folder / ".evidence.json.next"
    assert not ready.exists()
    # killed before the metadata was replaced: what was written is not named by anything
    evidence.write_bytes(old[0])
    metadata.write_bytes(old[1])
    ready.write_bytes(new[0])
    assert load_bundle(bundle.folder, SYSTEMS).evidence == bundle.evidence
    # killed after it: the next load finishes the work
    metadata.write_bytes(new[1])
    assert load_bundle(bundle.folder, SYSTEMS).evidence.recalibrations == (FIRST,)
    assert evidence.read_bytes() == new[0]
    assert not ready.exists()
