"""nnU-Net model folders: what the program is given, what is read back, and what is refused before it runs."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.anatomy import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging import Volume
from lymphoma.segmentation import Segmenter
from lymphoma.segmentation.nnunet import NnunetModel, open_nnunet
from lymphoma.training.files import file_sha256

from tests.unit.segmentation.nnunet_model import make_model

pytestmark = pytest.mark.unit

PROGRAM = """
import argparse, json, pathlib
import numpy as np
import SimpleITK as sitk
parser = argparse.ArgumentParser()
for name in ("-i", "-o", "-m", "-chk", "-npp", "-nps", "-device"):
    parser.add_argument(name, required=True)
parser.add_argument("-f", nargs="+", required=True)
parser.add_argument("--disable_tta", action="store_true")
parser.add_argument("--disable_progress_bar", action="store_true")
given = parser.parse_args()
model, ending = pathlib.Path(given.m), ".nii.gz"
assert all((model / f"fold_{fold}" / given.chk).is_file() for fold in given.f)
channels = json.loads((model / "dataset.json").read_text())["channel_names"]
images = [sitk.ReadImage(str(pathlib.Path(given.i) / f"study_{int(number):04d}{ending}")) for number in channels]
assert len(list(pathlib.Path(given.i).iterdir())) == len(channels)
ct, suv = (sitk.GetArrayFromImage(image) for image in images)
"""
LABELS = "labels = np.where((suv > 4) & (ct > -500), 2, np.where(ct > 300, 1, 0)).astype(np.uint8)\n"
WRITES = "image = sitk.GetImageFromArray(labels); image.CopyInformation(images[0])\n"
LEAVES = "sitk.WriteImage(image, str(pathlib.Path(given.o) / f'study{ending}'))\n"
WHOLE = PROGRAM + LABELS + WRITES + LEAVES


def study() -> tuple[Volume, Volume]:
    """Two lesions of 3 mL and more, one below, a hot spot in air; stored from head to foot, turned a little."""
    turn = np.deg2rad(5.0)
    affine = np.diag([4.0, 4.0, -4.0, 1.0])
    affine[:2, :2] = 4.0 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine[:3, 3] = -120.3, 77.7, -800.1
    ct = np.full((22, 24, 28), -1000.0, np.float32)
    ct[2:20, 4:20, 4:24] = 60.0
    suv = np.full(ct.shape, 0.1, np.float32)
    suv[2:20, 4:20, 4:24] = 3.9
    suv[3:8, 5:10, 5:10] = 4.2
    suv[12:16, 12:16, 12:16] = 20.0
    suv[10, 10, 20] = 9.0
    suv[10:15, 0:3, 10:20] = 15.0
    return Volume(suv, affine), Volume(ct, affine)


def expected() -> np.ndarray:
    lesions = np.zeros((22, 24, 28), np.uint16)
    lesions[3:8, 5:10, 5:10] = 1
    lesions[12:16, 12:16, 12:16] = 2
    return lesions


@pytest.fixture
def model(tmp_path: Path) -> NnunetModel:
    program = tmp_path / "program.py"
    program.write_text(WHOLE)
    listed = make_model(tmp_path / "model")
    command = (sys.executable, str(program), "-device", "cpu", "--disable_tta")
    return NnunetModel(tmp_path / "model", listed, command, time_limit_s=60.0, memory_gb=2.0)


def drawn(model: NnunetModel) -> np.ndarray:
    segmenter: Segmenter = open_nnunet(model)
    suv, ct = study()
    found = segmenter.segment(suv, ct, Anatomy("none")).lesion_map
    assert found.same_grid(suv)
    return np.asarray(found.array)


def code_of(model: NnunetModel) -> str:
    with pytest.raises(NotComputable) as raised:
        drawn(model)
    return raised.value.code


def test_lesions_come_back_on_the_grid_of_the_pet(model: NnunetModel) -> None:
    np.testing.assert_array_equal(drawn(model), expected())


@pytest.mark.timeout(900)
def test_the_real_program_draws_the_same(model: NnunetModel, nnunet_program: Path) -> None:
    """Weights set by hand, so every voxel is known: channels, orientation and windows are those of the real program."""
    real = replace(
        model, command=(str(nnunet_program), "-device", "cpu", "--disable_tta"), time_limit_s=800.0, memory_gb=6
    )
    np.testing.assert_array_equal(drawn(real), expected())


def test_channels_in_the_order_of_the_model(tmp_path: Path, model: NnunetModel) -> None:
    listed = make_model(tmp_path / "turned", ("PET", "CT"))
    (tmp_path / "program.py").write_text(WHOLE.replace("ct, suv = (", "suv, ct = ("))
    np.testing.assert_array_equal(drawn(replace(model, folder=tmp_path / "turned", sha256=listed)), expected())


def test_channels_that_the_settings_name(tmp_path: Path, model: NnunetModel) -> None:
    listed = make_model(tmp_path / "unnamed", ("CT", "noNorm"))
    unnamed = replace(model, folder=tmp_path / "unnamed", sha256=listed)
    assert code_of(unnamed) == "ENGINE_MODEL"
    np.testing.assert_array_equal(drawn(replace(unnamed, channels=("CT", "SUV"))), expected())
    assert code_of(replace(unnamed, channels=("CT",))) == "ENGINE_MODEL"


def test_other_labels_by_setting(model: NnunetModel) -> None:
    assert open_nnunet(model).lesion_values == (2,)
    assert open_nnunet(replace(model, lesion_labels=("organ", "tumor"))).lesion_values == (1, 2)
    assert code_of(replace(model, lesion_labels=("spleen",))) == "ENGINE_MODEL"
    assert code_of(replace(model, lesion_labels=("background",))) == "ENGINE_MODEL"


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        ({"background": 0, "foreground": 1}, (1,)),
        ({"background": 0, "Lymphoma": 3, "heart": 1}, (3,)),
        ({"background": 0, "whole tumor": [1, 2], "core": [2]}, (1, 2)),
    ],
)
def test_labels_of_the_dataset(model: NnunetModel, labels: dict[str, object], values: tuple[int, ...]) -> None:
    assert open_nnunet(described(model, labels=labels)).lesion_values == values


def described(model: NnunetModel, **changed: object) -> NnunetModel:
    """The model with another dataset.json, listed."""
    path = model.folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    return replace(model, sha256={**model.sha256, "dataset.json": file_sha256(path)})


@pytest.mark.parametrize("changed", [{"labels": None}, {"channel_names": None}, {"labels": {"background": 0}}])
def test_a_dataset_that_is_none(model: NnunetModel, changed: dict[str, object]) -> None:
    assert code_of(described(model, **changed)) == "ENGINE_MODEL"


@pytest.mark.parametrize("name", ["dataset.json", "plans.json", "fold_0/checkpoint_final.pth"])
def test_a_file_that_is_not_the_listed_one_is_never_opened(tmp_path: Path, model: NnunetModel, name: str) -> None:
    (tmp_path / "program.py").write_text("raise SystemExit('it ran')")
    assert code_of(model) == "ENGINE_FAILED"  # it runs as long as all is well
    assert code_of(replace(model, sha256={k: v for k, v in model.sha256.items() if k != name})) == "ENGINE_MODEL"
    with (model.folder / name).open("ab") as file:
        file.write(b" ")
    assert code_of(model) == "ENGINE_MODEL"
    (model.folder / name).unlink()
    assert code_of(model) == "ENGINE_MODEL"


def test_a_file_changed_after_it_was_opened_is_found(model: NnunetModel) -> None:
    segmenter = open_nnunet(model)
    with (model.folder / "fold_0/checkpoint_final.pth").open("ab") as file:
        file.write(b" ")
    with pytest.raises(NotComputable, match="ENGINE_MODEL"):
        segmenter.segment(*study(), Anatomy("none"))


@pytest.mark.parametrize("name", ["../elsewhere.pth", "fold_0/other.pkl", "fold_1/checkpoint_best.pth"])
def test_a_list_of_other_files_is_refused(model: NnunetModel, name: str) -> None:
    assert code_of(replace(model, sha256={**model.sha256, name: "0" * 64})) == "ENGINE_MODEL"


def test_the_program_is_not_there(model: NnunetModel) -> None:
    with pytest.raises(NotComputable, match="install nnunetv2") as raised:
        drawn(replace(model, command=("no_such_program",)))
    assert raised.value.code == "NOT_INSTALLED"


def test_it_hangs(tmp_path: Path, model: NnunetModel) -> None:
    (tmp_path / "program.py").write_text("import time; time.sleep(60)")
    assert code_of(replace(model, time_limit_s=0.5)) == "ENGINE_TIMEOUT"


@pytest.mark.parametrize(
    "last",
    [
        "pass",
        "(pathlib.Path(given.o) / 'study.nii.gz').write_bytes(b'not an image')",
        LABELS + WRITES + "image.SetSpacing((4.0, 4.0, 5.0))\n" + LEAVES,
        LABELS + WRITES + "image = image[:, :, :-1]\n" + LEAVES,
        LABELS + "labels = labels * 0.3\n" + WRITES + LEAVES,
    ],
    ids=["nothing", "rubbish", "spacing", "shorter", "fractions"],
)
def test_it_leaves_something_else(tmp_path: Path, model: NnunetModel, last: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM + last)
    assert code_of(model) == "ENGINE_OUTPUT"


def test_the_same_folder_has_the_same_name_in_reports(model: NnunetModel) -> None:
    assert open_nnunet(model).description == (
        f"nnU-Net v2, model {model.digest[:12]} (1 fold), components of at least 3 mL, 26-connected"
    )
    assert replace(model, lesion_labels=("organ",)).digest != model.digest
    assert replace(model, time_limit_s=5.0).digest == model.digest
