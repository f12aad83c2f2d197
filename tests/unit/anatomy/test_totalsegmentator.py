"""The external engine against a program that stands in for it: what it is given, and all the ways it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from lymphoma.anatomy import AnatomyEngine
from lymphoma.anatomy.totalsegmentator import TotalSegmentator
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume

pytestmark = pytest.mark.unit

READS = """
import argparse, json, os, pathlib, time
import numpy as np
import SimpleITK as sitk
parser = argparse.ArgumentParser()
parser.add_argument("-i"); parser.add_argument("-o")
parser.add_argument("--ml", action="store_true"); parser.add_argument("--fast", action="store_true")
given = parser.parse_args()
assert given.ml and given.fast
ct = sitk.ReadImage(given.i)
values = sitk.GetArrayFromImage(ct)
"""
LABELS = "labels = np.zeros(values.shape, np.uint8); labels[values > 0] = 5; labels[values > 300] = 29\n"
WRITES = "image = sitk.GetImageFromArray(labels); image.CopyInformation(ct)\n"
LEAVES = "sitk.WriteImage(image, given.o)\n"


def study() -> tuple[Volume, Volume]:
    """Stored from head to foot and turned a little, as some scanners do."""
    turn = np.deg2rad(5.0)
    affine = np.diag([4.0, 4.0, -3.0, 1.0])
    affine[:2, :2] = 4.0 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine[:3, 3] = -120.3, 77.7, -800.1
    ct = np.full((12, 10, 14), -1024.0, np.float32)
    ct[2:9, 3:8, 2:6] = 60.0
    ct[4:7, 4:6, 8:12] = 700.0
    return Volume(np.ones(ct.shape, np.float32), affine), Volume(ct, affine)


def engine(folder: Path, text: str, time_limit_s: float = 60.0, memory_gb: float = 2.0) -> TotalSegmentator:
    (folder / "program.py").write_text(text)
    return TotalSegmentator((sys.executable, str(folder / "program.py")), time_limit_s, memory_gb)


def code_of(made: AnatomyEngine) -> str:
    with pytest.raises(NotComputable) as raised:
        made.find(*study())
    return raised.value.code


def test_organs_come_back_on_the_grid_of_the_pet(tmp_path: Path) -> None:
    suv, ct = study()
    anatomy = engine(tmp_path, READS + LABELS + WRITES + LEAVES).find(suv, ct)
    assert anatomy.engine == "totalsegmentator"
    assert len(anatomy.names) == 71
    assert anatomy.require("liver").same_grid(suv)
    np.testing.assert_array_equal(anatomy.mask("liver"), (ct.array > 0) & (ct.array < 300))
    np.testing.assert_array_equal(anatomy.mask("vertebrae_L"), ct.array > 300)


def test_it_is_told_to_send_no_usage_statistics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOTALSEG_HOME_DIR", "/opt/somewhere")
    monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH", raising=False)
    told = (
        "told = json.loads(pathlib.Path(os.environ['TOTALSEG_HOME_DIR'], 'config.json').read_text())\n"
        "assert told['send_usage_stats'] is False\n"
        "assert os.environ['TOTALSEG_WEIGHTS_PATH'] == '/opt/somewhere/nnunet/results'\n"
    )
    engine(tmp_path, READS + told + LABELS + WRITES + LEAVES).find(*study())


def test_it_is_not_there() -> None:
    assert code_of(TotalSegmentator(("no_such_program",))) == "ENGINE_MISSING"


def test_it_hangs(tmp_path: Path) -> None:
    assert code_of(engine(tmp_path, "import time; time.sleep(60)", time_limit_s=0.5)) == "ENGINE_TIMEOUT"


def test_it_takes_too_much_memory(tmp_path: Path) -> None:
    hungry = "import os, time; held = os.urandom(1) * 300_000_000; time.sleep(60)"
    assert code_of(engine(tmp_path, hungry, memory_gb=0.2)) == "ENGINE_FAILED"


def test_it_fails(tmp_path: Path) -> None:
    assert code_of(engine(tmp_path, "raise SystemExit('no weights')")) == "ENGINE_FAILED"


@pytest.mark.parametrize(
    "last",
    [
        "pass",
        "pathlib.Path(given.o).write_bytes(b'not an image')",
        LABELS + WRITES + "image.SetSpacing((4.0, 4.0, 4.0))\n" + LEAVES,
        LABELS + WRITES + "image = image[:, :, :-1]\n" + LEAVES,
        LABELS + "labels[0, 0, 0] = 118\n" + WRITES + LEAVES,
        LABELS + "labels = labels * 0.5\n" + WRITES + LEAVES,
        "labels = np.zeros(values.shape, np.uint8)\n" + WRITES + LEAVES,
    ],
    ids=["nothing", "rubbish", "spacing", "shorter", "label 118", "halves", "empty"],
)
def test_it_leaves_something_else(tmp_path: Path, last: str) -> None:
    assert code_of(engine(tmp_path, READS + last)) == "ENGINE_OUTPUT"
