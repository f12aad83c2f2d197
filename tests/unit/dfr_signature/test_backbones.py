"""The seven image networks: their shapes, their pixels, their weights, and which weights are refused."""

from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.dfr_signature.backbones import (
    Backbone,
    GivenTensors,
    KerasCache,
    RandomProjection,
    WeightsFile,
    open_backbone,
)
from lymphoma.dfr_signature.keras_networks import (
    BACKBONES,
    IMAGENET,
    BackboneName,
    build,
    keras,
    preprocessed,
    tensors_of,
)
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.training.weights import halved
from safetensors.torch import save_file

pytestmark = pytest.mark.unit

SMALLEST: BackboneName = "densenet121"


def crops(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (count, 224, 224, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def resnet() -> Backbone:
    return open_backbone("resnet50", RandomProjection(3))


@pytest.fixture(scope="module")
def densenet() -> Backbone:
    return open_backbone(SMALLEST, RandomProjection(3))


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.paper("dfr-backbones", "dfr-1000-features")
@pytest.mark.parametrize("name", BACKBONES)
def test_each_of_the_seven_gives_1000_different_features(name: BackboneName) -> None:
    found = open_backbone(name, RandomProjection(1)).features(crops(1))
    assert found.shape == (1, 1000)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert len(np.unique(found)) > 900


@pytest.mark.paper("dfr-1000-features")
def test_resnet_50_has_its_published_number_of_parameters(resnet: Backbone) -> None:
    statistics = ("moving_mean", "moving_variance")
    assert sum(one.numel() for one in resnet.tensors().values()) == 25_636_712
    assert sum(one.numel() for name, one in resnet.tensors().items() if not name.endswith(statistics)) == 25_583_592


@pytest.mark.parametrize("name", BACKBONES)
def test_pixels_are_prepared_as_the_networks_own_module_does(name: BackboneName) -> None:
    pixels = crops(2)
    before = pixels.copy()
    own = importlib.import_module(f"keras.applications.{IMAGENET[name].module}")
    np.testing.assert_array_equal(preprocessed(name, pixels), own.preprocess_input(pixels.copy()))
    np.testing.assert_array_equal(pixels, before)


def test_the_cached_files_and_digests_are_those_of_keras_source() -> None:
    for name, published in IMAGENET.items():
        constructor = getattr(importlib.import_module(f"keras.applications.{published.module}"), published.constructor)
        source = Path(sys.modules[constructor.__module__].__file__ or "").read_text("utf-8")
        assert published.md5 in source, name
        assert published.file in source or published.file.removeprefix(name) in source, name


def test_order_and_batches_do_not_matter(densenet: Backbone) -> None:
    given = crops(5)
    whole = densenet.features(given)
    # sums in another order; features are of the order of one
    np.testing.assert_allclose(densenet.features(given, batch=2), whole, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(densenet.features(given[::-1]), whole[::-1], rtol=1e-4, atol=1e-4)
    assert densenet.features(given[:0]).shape == (0, 1000)


def test_grey_levels_are_three_equal_channels(densenet: Backbone) -> None:
    grey = crops(1)[..., 0]
    np.testing.assert_array_equal(densenet.features(grey), densenet.features(np.stack([grey] * 3, axis=-1)))


@pytest.mark.parametrize("shape", [(1, 224, 224, 4), (1, 223, 224, 3), (224, 224)])
def test_another_shape_is_refused(densenet: Backbone, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="crops are finite and"):
        densenet.features(np.zeros(shape, dtype=np.float32))


def test_a_crop_that_is_not_finite_is_refused(densenet: Backbone) -> None:
    with pytest.raises(ValueError, match="finite"):
        densenet.features(np.full((1, 224, 224), np.nan, dtype=np.float32))


def test_softmax_is_a_switch(densenet: Backbone) -> None:
    shares = open_backbone(SMALLEST, RandomProjection(3), softmax=True).features(crops(1))
    values = torch.from_numpy(densenet.features(crops(1)))
    np.testing.assert_allclose(shares, torch.softmax(values, dim=-1).numpy(), atol=1e-6)


def test_the_seed_makes_the_weights_and_other_weights_another_digest(densenet: Backbone) -> None:
    again = open_backbone(SMALLEST, RandomProjection(3))
    assert again.digest == densenet.digest
    assert open_backbone(SMALLEST, RandomProjection(4)).digest != densenet.digest
    assert "random projection" in densenet.words
    tensors = dict(densenet.tensors())
    name = next(iter(tensors))
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[0] += 1
    assert open_backbone(SMALLEST, GivenTensors(tensors, "changed")).digest != densenet.digest


@pytest.mark.paper("dfr-pretrained")
@pytest.mark.parametrize("suffix", [".safetensors", ".weights.h5", ".h5"])
def test_weights_come_back_from_a_file(densenet: Backbone, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"given{suffix}"
    if suffix == ".safetensors":
        save_file({name: one.clone() for name, one in densenet.tensors().items()}, file)
    else:
        model = build(SMALLEST)
        for own, theirs in zip(model.weights, densenet.tensors().values(), strict=True):
            own.assign(theirs)
        model.save_weights(file) if suffix == ".weights.h5" else model.save(file)
    opened = open_backbone(SMALLEST, WeightsFile(file, sha256(file), "a test"))
    assert opened.digest == densenet.digest
    assert opened.words == "DenseNet121, a test"
    with pytest.raises(BundleRefused) as refused:
        open_backbone(SMALLEST, WeightsFile(file, "0" * 64, "a test"))
    assert refused.value.code == "BUNDLE_DIGEST_MISMATCH"


def test_half_precision_of_a_bundle_is_taken(densenet: Backbone) -> None:
    opened = open_backbone(SMALLEST, GivenTensors(halved(densenet.tensors()), "half"))
    assert opened.digest != densenet.digest
    np.testing.assert_allclose(opened.features(crops(1)), densenet.features(crops(1)), rtol=0.05, atol=0.05)


def test_weights_of_another_network_are_refused(densenet: Backbone, tmp_path: Path) -> None:
    for tensors in (
        open_backbone("resnet50", RandomProjection(0)).tensors(),
        {name: torch.full_like(one, float("nan")) for name, one in densenet.tensors().items()},
    ):
        with pytest.raises(BundleRefused) as refused:
            open_backbone(SMALLEST, GivenTensors(tensors, "wrong"))
        assert refused.value.code == "BUNDLE_UNREADABLE"
    for name, content in (("a.h5", b"no weights"), ("a.safetensors", b"no weights"), ("a.pkl", b"no weights")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BundleRefused) as refused:
            open_backbone(SMALLEST, WeightsFile(tmp_path / name, sha256(tmp_path / name), "wrong"))
        assert refused.value.code == "BUNDLE_UNREADABLE"


@pytest.mark.paper("dfr-pretrained")
def test_keras_cache_is_read_and_never_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(BundleRefused) as refused:
        open_backbone("resnet50", KerasCache())
    assert refused.value.code == "BUNDLE_FILE_MISSING"
    assert list(tmp_path.iterdir()) == []
    file = tmp_path / "models" / IMAGENET["resnet50"].file
    file.parent.mkdir()
    file.write_bytes(b"something else")
    for cache in (KerasCache(), KerasCache(file.parent)):
        with pytest.raises(BundleRefused) as refused:
            open_backbone("resnet50", cache)
        assert refused.value.code == "BUNDLE_DIGEST_MISMATCH"


def test_without_keras_the_reason_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(NotComputable) as refused:
        open_backbone("resnet50", RandomProjection())
    assert refused.value.code == "NOT_INSTALLED"
    assert "nodal[dfr]" in refused.value.reason


def test_keras_set_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras().config, "image_data_format", lambda: "channels_first")
    with pytest.raises(NotComputable, match="channels_first"):
        build("resnet50")


def test_keras_is_not_imported_with_the_room() -> None:
    code = "import sys, lymphoma.dfr_signature.backbones; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_building_leaves_numpys_and_torchs_random_numbers_alone() -> None:
    np.random.seed(1)
    torch.manual_seed(1)
    expected = (np.random.random(), float(torch.rand(1)))
    np.random.seed(1)
    torch.manual_seed(1)
    tensors_of(build(SMALLEST))
    assert (np.random.random(), float(torch.rand(1))) == expected
