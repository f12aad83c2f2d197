"""Result objects before judges made by others: dciodvfy, dsrdump, and dcmqi's readers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from highdicom.sr import srread
from lymphoma.imaging import Volume
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.seg import build_seg
from nodal.report.sr import build_sr
from nodal.settings import Profile

from tests.unit.report.judged import judged
from tests.unit.report.sample import sample_inputs
from tests.unit.report.sts import sts_inputs

pytestmark = pytest.mark.unit

OWN = Target(Profile(), "measurements")

# Debian 12's dciodvfy predates the Label Map Segmentation SOP class (Supplement 243) and takes it for no segmentation.
# PS3.3 C.8.20.2.3.3 wants every pixel value described by a segment, so the background is segment 0; and the SR refers
# to a segment by its number as to any segmentation's (PS3.3 Table 10-3).
LABELMAP_FALSE_ALARMS = {
    "Error - SegmentNumber not monotonically increasing from one by one - "
    "have SegmentSequence item number 1 (from one) with SegmentNumber of 0",
    "Error - Information Object Not found",
}
LABELMAP_SR_FALSE_ALARMS = {
    "Error - Shall not be present for Referenced SOP Class that is not segmentation - "
    "attribute <ReferencedSegmentNumber>"
}
# What dsrdump says of every document in UTF-8; it is about its own VR checker.
DSRDUMP_REMARK = "W: The VR checker does not support this Specific Character Set: ISO_IR 192"


def tool(name: str) -> str:
    """The path of a tool of the machine or of the virtual environment."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.fail(f"{name} is not installed: make setup")
    return found


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [tool(name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def errors(path: Path) -> set[str]:
    lines = run("dciodvfy", path).stderr.splitlines()
    assert lines, "dciodvfy said nothing, not even what it read"
    return {line for line in lines if "Error" in line}


def both(inputs: ReportInputs, folder: Path, target: Target = OWN) -> list[Path]:
    """SEG (where there is one) and SR as files."""
    seg = build_seg(inputs, target)
    results: list[ResultObject | None] = [seg, build_sr(inputs, target, seg)]
    paths = []
    for result in results:
        if result is not None:
            path = folder / f"{result.kind}.dcm"
            path.write_bytes(result.data)
            paths.append(path)
    return paths


@pytest.fixture(scope="module")
def whole_body(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], tuple[ReportInputs, list[Path]]]:
    """A made-up whole body with so many lesions and its files, built once."""

    @cache
    def build(count: int) -> tuple[ReportInputs, list[Path]]:
        inputs = sample_inputs(count)
        return inputs, both(inputs, tmp_path_factory.mktemp(f"whole{count}"))

    return build


WholeBody = Callable[[int], tuple[ReportInputs, list[Path]]]


@pytest.mark.parametrize("count", [0, 1, 3, 60])
def test_a_made_up_whole_body_is_valid(count: int, whole_body: WholeBody) -> None:
    for path in whole_body(count)[1]:
        assert errors(path) == set(), path.name


def test_a_comprehensive_sr_is_valid(tmp_path: Path) -> None:
    target = Target(Profile(sr="comprehensive", seg="none"), "measurements")
    [path] = both(sample_inputs(2), tmp_path, target)
    assert errors(path) == set()


JUDGED: dict[str, Callable[[], ReportInputs]] = {
    "local": lambda: judged(sample_inputs(2)),
    "factors missing": lambda: judged(sample_inputs(2), missing=("ldh_ratio", "stage", "ecog")),
    "simulation-trained, shown": lambda: judged(sample_inputs(2), "E0"),
    "simulation-trained, withheld": lambda: judged(sample_inputs(2), "E0", withheld=True),
    "virtual": lambda: judged(sample_inputs(2, virtual=True), "E0"),
    "no lesion": lambda: judged(sample_inputs(0)),
}


@pytest.mark.parametrize("case", list(JUDGED))
def test_indices_systems_and_nomograms_are_valid_and_read(case: str, tmp_path: Path) -> None:
    inputs = JUDGED[case]()
    path = both(inputs, tmp_path)[-1]
    assert errors(path) == set()
    done = run("dsrdump", path)
    assert done.returncode == 0
    assert set(done.stderr.splitlines()) <= {DSRDUMP_REMARK, ""}
    page = run("dsr2html", path).stdout
    wanted = ["International Prognostic Index", "IPI points", "In words", "LAMP: PFS, risk score"]
    if case != "simulation-trained, withheld":
        wanted += ["LAMP: 5-year PFS", "MTDLR: OS, total points", "Time horizon", "95 % interval"]
    if case.startswith(("simulation", "virtual")):
        wanted += ["Simulation-trained, not for clinical use", ", simulation-trained"]
    assert [words for words in wanted if words not in page] == []
    parsed = srread(path)
    assert parsed.content is not None
    assert len(parsed.content.get_image_measurement_groups()) >= 5


def test_a_judged_comprehensive_sr_without_seg_is_valid(tmp_path: Path) -> None:
    target = Target(Profile(sr="comprehensive", seg="none"), "simulation_trained")
    [path] = both(judged(sample_inputs(2), "E0"), tmp_path, target)
    assert errors(path) == set()


def test_dcmqi_reads_the_risks(tmp_path: Path) -> None:
    inputs = judged(sample_inputs(2))
    out = tmp_path / "sr.json"
    done = run("tid1500reader", "--inputDICOM", both(inputs, tmp_path)[-1], "--outputMetadata", out)
    assert done.returncode == 0, done.stderr
    read = {
        item["quantity"]["CodeMeaning"]: float(item["value"])
        for group in json.loads(out.read_text())["Measurements"]
        for item in group.get("measurementItems", ())
    }
    predicted = inputs.findings.systems["deepmts"].endpoint["pfs"].survival[-1]
    assert predicted.probability is not None
    assert read["DeepMTS: 5-year PFS, predicted"] == pytest.approx(100 * predicted.probability, abs=1e-5)
    assert read["IPI points"] == 3


def test_a_virtual_partial_study_is_valid(tmp_path: Path) -> None:
    for path in both(sample_inputs(2, virtual=True, partial=True), tmp_path):
        assert errors(path) == set(), path.name


def test_a_labelmap_raises_only_the_known_false_alarms(tmp_path: Path) -> None:
    [seg, sr] = both(sample_inputs(2), tmp_path, Target(Profile(seg="labelmap"), "measurements"))
    assert errors(seg) == LABELMAP_FALSE_ALARMS
    assert errors(sr) == LABELMAP_SR_FALSE_ALARMS


@pytest.mark.parametrize("pair", ["STS_001", "STS_002", "STS_004"])
def test_real_pairs_raise_no_error_that_the_source_does_not(pair: str, real_data: Path, tmp_path: Path) -> None:
    inputs = sts_inputs(real_data / "sts" / pair, 4.0)
    source = errors(next((real_data / "sts" / pair / "PET").rglob("*.dcm")))
    paths = both(inputs, tmp_path)
    # STS_004 has nothing of 3 mL at SUV 4: no SEG, and an SR that says so.
    assert len(paths) == (1 if pair == "STS_004" else 2)
    for path in paths:
        found = errors(path)
        assert found <= source, path.name
        # The source's StudyID has 18 characters and is copied as it is; nothing else is the matter.
        assert all("Study ID" in line or "contains invalid data values" in line for line in found)


@pytest.mark.parametrize("count", [0, 3, 60])
def test_dsrdump_reads_the_report_without_complaint(count: int, whole_body: WholeBody) -> None:
    done = run("dsrdump", whole_body(count)[1][-1])
    assert done.returncode == 0
    assert set(done.stderr.splitlines()) <= {DSRDUMP_REMARK, ""}
    assert done.stdout.count('"Referenced Segment"') == count


def test_dsr2html_shows_every_name(whole_body: WholeBody) -> None:
    # With ContinuityOfContent CONTINUOUS it would run the values together without their names.
    page = run("dsr2html", whole_body(1)[1][-1]).stdout
    for words in ("Tracking Identifier", "Metabolic Volume", "Total Lesion Glycolysis", "Not computed"):
        assert words in page


def dcmqi_voxels(seg: Path, folder: Path, grid: Volume) -> np.ndarray:
    """Segment numbers on the PET grid, from the NRRD files that dcmqi writes, placed by position."""
    done = run("segimage2itkimage", "--inputDICOM", seg, "--outputDirectory", folder, "-t", "nrrd", "-p", "seg")
    assert done.returncode == 0, done.stderr
    found = np.zeros(grid.array.shape, dtype=int)
    for path in folder.glob("seg-*.nrrd"):
        read = Volume.load(path)
        index = np.argwhere(read.array > 0)
        k, j, i = np.rint(grid.index_kji(read.points_mm(index))).astype(int).T
        found[k, j, i] = read.array[tuple(index.T)]
    return found


@pytest.mark.parametrize("count", [1, 3, 60])
def test_dcmqi_reads_the_same_voxels(count: int, whole_body: WholeBody, tmp_path: Path) -> None:
    inputs, paths = whole_body(count)
    found = dcmqi_voxels(paths[0], tmp_path, inputs.suv)
    assert np.array_equal(found, inputs.lesion_map.array)


@pytest.mark.parametrize("pair", ["STS_001", "STS_002"])
def test_dcmqi_reads_the_same_voxels_of_real_pairs(pair: str, real_data: Path, tmp_path: Path) -> None:
    inputs = sts_inputs(real_data / "sts" / pair, 4.0)
    found = dcmqi_voxels(both(inputs, tmp_path)[0], tmp_path, inputs.suv)
    assert found.any()
    assert np.array_equal(found, inputs.lesion_map.array)


def test_dcmqi_reads_the_same_numbers(whole_body: WholeBody, tmp_path: Path) -> None:
    inputs, paths = whole_body(3)
    sr, out = paths[-1], tmp_path / "sr.json"
    done = run("tid1500reader", "--inputDICOM", sr, "--outputMetadata", out)
    assert done.returncode == 0, done.stderr
    measured = [group for group in json.loads(out.read_text())["Measurements"] if group.get("measurementItems")]
    assert [group["TrackingIdentifier"] for group in measured] == ["Whole patient", "Lesion 1", "Lesion 2", "Lesion 3"]
    for lesion, group in zip(inputs.findings.lesions, measured[1:], strict=True):
        assert group["TrackingUniqueIdentifier"] == lesion.tracking_uid
        assert int(group["ReferencedSegment"]) == lesion.segment_number
        values = [float(item["value"]) for item in group["measurementItems"]]
        expected = [
            lesion.suv_max,
            lesion.suv_peak,
            lesion.suv_mean,
            lesion.volume_ml,
            lesion.tlg_g,
            lesion.longest_diameter_mm,
        ]
        # Decimal strings hold 14 significant digits.
        assert values == pytest.approx(expected, rel=1e-12)
        assert group["measurementItems"][0]["units"]["CodeValue"] == "g/ml{SUVbw}"
    totals = {
        (item["quantity"]["CodeValue"], item.get("derivationModifier", {}).get("CodeValue")): float(item["value"])
        for item in measured[0]["measurementItems"]
    }
    assert totals["126032", "255619001"] == pytest.approx(inputs.findings.totals.tmtv_ml, rel=1e-12)
    assert totals["246206008", None] == 3
