"""Results that are made only where asked: which file each becomes, and what no delivery knows of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nodal.audit import Trail
from nodal.findings import to_json
from nodal.jobs.node_pipeline import NodePipeline
from nodal.jobs.process import _write_results
from nodal.jobs.results import ResultStore, objects_to_json, targets
from nodal.jobs.stages import StageContext
from nodal.jobs.workspace import Workspace
from nodal.report.build import build
from nodal.settings import Destination, ResultSettings, Settings
from pydicom import dcmread

from tests.unit.report.sample import sample_inputs

pytestmark = pytest.mark.unit

ASKED = ResultSettings(rotating_mip=True, key_images="outlined", rtstruct=True, fhir=True)
USUAL = {"findings.json", "seg.dcm", "sr.dcm", "report.dcm", "report.pdf", "summary.dcm"}


def encoded(folder: Path, settings: Settings) -> tuple[Workspace, ResultStore]:
    """A job's folder as the encode stage leaves it."""
    inputs, workspace, store = sample_inputs(2), Workspace(folder / "job"), ResultStore(folder / "store")
    workspace.root.mkdir(parents=True)
    stored = [store.put(result, name) for name, target in targets(settings).items() for result in build(inputs, target)]
    workspace.write_json("objects.json", objects_to_json(stored))
    workspace.write_text("findings.json", to_json(inputs.findings))
    return workspace, store


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_each_becomes_a_file_and_none_stays_from_an_earlier_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    _write_results(*encoded(tmp_path / "asked", Settings(results=ASKED)), out)
    outlines = {name for name in names(out) if name.startswith("outlines/")}
    assert outlines
    further = {"rotation.dcm", "rtstruct.dcm", "key-images.dcm", "report.fhir.json"}
    assert names(out) == USUAL | further | outlines
    assert dcmread(out / "rtstruct.dcm").Modality == "RTSTRUCT"
    assert json.loads((out / "report.fhir.json").read_bytes())["type"] == "transaction"
    _write_results(*encoded(tmp_path / "plain", Settings()), out)
    assert names(out) == USUAL


def test_a_delivery_knows_the_fhir_report_of_its_server_alone(tmp_path: Path) -> None:
    clinic = Destination(name="clinic", kind="fhir", url="https://fhir.example/r4")
    settings = Settings(results=ASKED, destinations=(clinic,))
    workspace, store = encoded(tmp_path, settings)
    pipeline = NodePipeline(StageContext(settings, Trail(tmp_path / "audit"), store), None)
    assert [(one.target, one.kind) for one in pipeline.planned(workspace)] == [("clinic", "fhir")]
