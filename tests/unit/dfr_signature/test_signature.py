"""The stack of learners: two layers, out of fold, repeatable, and opened only where its digest is right."""

from __future__ import annotations

import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.dfr_signature.archive import archive_of, as_tensors, digest_of, packed, unpacked
from lymphoma.dfr_signature.config import Learners, SignatureConfig
from lymphoma.dfr_signature.signature import (
    FittedSignature,
    fit_signature,
    open_signature,
    out_of_fold,
    unpack_signature,
)
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.training.weights import SHIPPED_BYTES, halved, read_weights, write_weights
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.unit

FEW: Learners = {"LR": {}, "GBM": {"num_boost_round": 10}}
ONE: Learners = {"LR": {}}
SETTINGS = SignatureConfig(learners=FEW)
QUICK = SignatureConfig(folds=3, learners=ONE)
N = 120


def made_up(n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(n, 10))
    return features, features[:, 0] + 0.7 * generator.normal(size=n) > 0.3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signature")


@pytest.fixture(scope="module")
def fitted(place: Path) -> FittedSignature:
    return fit_signature(*made_up(), SETTINGS, place)


@pytest.mark.paper("dfr-two-layers")
def test_the_second_layer_sees_ten_features_and_every_base_learner(fitted: FittedSignature) -> None:
    layers = fitted.signature.layers
    assert len(layers.base) == len(layers.stacker) == len(FEW)
    assert layers.stacker_inputs == (10 + len(layers.base),) * len(layers.stacker)
    assert layers.final.startswith("WeightedEnsemble")


@pytest.mark.paper("dfr-autogluon", "dfr-ten-folds")
def test_it_learns_what_there_is_to_learn(fitted: FittedSignature) -> None:
    features, event = made_up(400, seed=1)
    found = fitted.signature.probability(features)
    assert found.shape == (400,)
    assert ((found >= 0) & (found <= 1)).all()
    assert roc_auc_score(event, found) > 0.8  # the feature that tells alone reaches .92
    assert fitted.bagged.shape == (N,)
    assert np.abs(fitted.bagged - fitted.signature.probability(made_up()[0])).max() > 1e-3


@pytest.mark.paper("dfr-ten-folds")
def test_shuffled_labels_are_not_foretold(place: Path) -> None:
    features, event = made_up()
    found = []
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(event)
        honest = out_of_fold(features, shuffled, QUICK, place, folds=3, seed=seed)
        found.append(roc_auc_score(shuffled, honest))
    # one AUC of 120 patients scatters by .053, the mean of three by .03
    assert abs(np.mean(found) - 0.5) < 0.12
    true = out_of_fold(features, event, QUICK, place, folds=3)
    assert roc_auc_score(event, true) > 0.8


@pytest.mark.paper("dfr-ten-folds")
def test_what_autogluon_calls_out_of_fold_flatters(place: Path) -> None:
    """Why ``bagged`` judges nothing: labels without any relation to the features seem foretold."""
    features, event = made_up()
    shuffled = np.random.default_rng(0).permutation(event)
    bagged = fit_signature(features, shuffled, SETTINGS, place).bagged
    assert roc_auc_score(shuffled, bagged) > 0.62


def test_the_same_input_gives_the_same_signature(fitted: FittedSignature, place: Path) -> None:
    again = fit_signature(*made_up(), SETTINGS, place)
    np.testing.assert_array_equal(again.bagged, fitted.bagged)
    features, _ = made_up(50, seed=3)
    np.testing.assert_array_equal(again.signature.probability(features), fitted.signature.probability(features))


def test_patients_stand_for_themselves(fitted: FittedSignature) -> None:
    features, _ = made_up(20, seed=4)
    whole = fitted.signature.probability(features)
    np.testing.assert_array_equal(fitted.signature.probability(features[::-1]), whole[::-1])
    # float32 sums inside some learners
    np.testing.assert_allclose(fitted.signature.probability(features[:1]), whole[:1], rtol=1e-6)
    assert fitted.signature.probability(features[:0]).shape == (0,)


def test_weights_count_and_weight_zero_takes_no_part(place: Path) -> None:
    features, event = made_up()
    weight = np.ones(N)
    weight[:20] = 0
    changed = event.copy()
    changed[:20] = ~changed[:20]
    one = fit_signature(features, event, QUICK, place, weight=weight)
    two = fit_signature(features, changed, QUICK, place, weight=weight)
    np.testing.assert_array_equal(one.bagged, two.bagged)
    np.testing.assert_array_equal(one.bagged[:20], one.signature.probability(features[:20]))
    weight[20:60] = 5
    heavier = fit_signature(features, event, QUICK, place, weight=weight)
    assert np.abs(heavier.bagged - one.bagged).max() > 1e-3


def test_it_comes_back_from_its_archive(fitted: FittedSignature, tmp_path: Path) -> None:
    file = tmp_path / "signature.zip"
    digest = fitted.signature.save(file)
    opened = open_signature(file, digest)
    features, _ = made_up(30, seed=5)
    np.testing.assert_array_equal(opened.probability(features), fitted.signature.probability(features))
    assert opened.layers == fitted.signature.layers
    assert opened.digest == digest
    assert file.stat().st_size < 15_500_000


def test_a_large_archive_goes_in_pieces_and_comes_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lymphoma.dfr_signature.archive.PIECE_BYTES", 7)
    whole = bytes(range(100))
    pieces = as_tensors(whole)
    assert len(pieces) == 15
    assert archive_of(dict(reversed(pieces.items()))) == whole
    for broken in ({}, {name: one for name, one in pieces.items() if name != "archive_0003"}):
        with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
            archive_of(broken)
    with pytest.raises(BundleRefused, match="not bytes"):
        archive_of({"archive_0000": torch.zeros(3)})


def test_a_bundle_carries_the_archive_among_its_weights(fitted: FittedSignature, tmp_path: Path) -> None:
    (written,) = write_weights(tmp_path, "models", "signature_pfs", as_tensors(fitted.signature.archive), SHIPPED_BYTES)
    archive = archive_of(halved(read_weights(tmp_path, [written])))
    assert archive == fitted.signature.archive
    assert unpack_signature(archive, fitted.signature.digest).layers == fitted.signature.layers
    with pytest.raises(BundleRefused) as refused:
        archive_of({"archive": torch.zeros(3)})
    assert refused.value.code == "BUNDLE_UNREADABLE"


class Writes:
    """Unpickling it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.file,)


def test_a_changed_archive_is_refused_before_anything_is_unpickled(fitted: FittedSignature, tmp_path: Path) -> None:
    inside, marker, file = tmp_path / "inside", tmp_path / "marker", tmp_path / "signature.zip"
    inside.mkdir()
    unpacked(fitted.signature.archive, fitted.signature.digest, inside)
    for name in ("learner.pkl", "predictor.pkl"):
        (inside / name).write_bytes(pickle.dumps(Writes(marker)))
    file.write_bytes(packed(inside))
    with pytest.raises(BundleRefused) as refused:
        open_signature(file, fitted.signature.digest)
    assert refused.value.code == "BUNDLE_DIGEST_MISMATCH"
    assert not marker.exists()
    with pytest.raises(Exception, match=r".*"):  # whatever AutoGluon says of it
        open_signature(file, digest_of(file.read_bytes()))
    assert marker.exists(), "the pickle was no threat, so the test above shows nothing"


def test_one_changed_byte_is_refused(fitted: FittedSignature, tmp_path: Path) -> None:
    file = tmp_path / "signature.zip"
    changed = bytearray(fitted.signature.archive)
    changed[len(changed) // 2] ^= 1
    file.write_bytes(changed)
    with pytest.raises(BundleRefused) as refused:
        open_signature(file, fitted.signature.digest)
    assert refused.value.code == "BUNDLE_DIGEST_MISMATCH"
    with pytest.raises(BundleRefused) as refused:
        open_signature(tmp_path / "none.zip", fitted.signature.digest)
    assert refused.value.code == "BUNDLE_FILE_MISSING"


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt"])
def test_an_archive_writes_nowhere_else(tmp_path: Path, name: str) -> None:
    file = tmp_path / "bad.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    for content in (file.read_bytes(), b"no archive"):
        with pytest.raises(BundleRefused) as refused:
            unpacked(content, digest_of(content), tmp_path / "in")
        assert refused.value.code == "BUNDLE_UNREADABLE"


def test_other_versions_are_refused(fitted: FittedSignature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = fitted.signature.save(tmp_path / "signature.zip")
    monkeypatch.setattr("lymphoma.dfr_signature.signature.version", lambda name: "0.0")
    with pytest.raises(BundleRefused, match="autogluon"):
        open_signature(tmp_path / "signature.zip", digest)


def test_the_archive_of_the_same_files_is_the_same(fitted: FittedSignature, tmp_path: Path) -> None:
    unpacked(fitted.signature.archive, fitted.signature.digest, tmp_path)
    assert packed(tmp_path) == fitted.signature.archive
    assert not (tmp_path / "utils" / "data").exists(), "training patients' features stay out of a bundle"


def test_it_is_quiet_local_and_leaves_nothing_behind(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fit_signature(*made_up(), QUICK, tmp_path)
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert "ray" not in sys.modules


def test_too_few_events_are_told(tmp_path: Path) -> None:
    features, event = made_up()
    event[:] = False
    event[:9] = True
    with pytest.raises(NotComputable) as refused:
        fit_signature(features, event, SETTINGS, tmp_path)
    assert refused.value.code == "TOO_FEW_EVENTS"


def test_values_that_are_no_numbers_are_refused(fitted: FittedSignature) -> None:
    for wrong in (np.full((1, 10), np.nan), np.zeros((1, 9)), np.zeros(10)):
        with pytest.raises(ValueError, match="features are finite"):
            fitted.signature.probability(wrong)


def test_without_autogluon_the_reason_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "autogluon.tabular", None)
    with pytest.raises(NotComputable) as refused:
        fit_signature(*made_up(), SETTINGS, tmp_path)
    assert refused.value.code == "NOT_INSTALLED"
    assert "nodal[dfr]" in refused.value.reason


def test_autogluon_is_not_imported_with_the_room() -> None:
    code = "import sys, lymphoma.dfr_signature.signature; sys.exit('autogluon' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
