"""A bundle: what is written is what is read, and what was touched is refused."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.errors import BundleRefused
from lymphoma.training.bundle import Bundle, export_bundle, load_bundle, write_evidence
from lymphoma.training.config import TrainConfig
from lymphoma.training.evidence import Acceptance, Evidence, MetricEstimate
from lymphoma.training.metadata import Description, TensorFormat
from lymphoma.training.statistics import fit_statistics
from monai.bundle import ConfigParser

pytestmark = pytest.mark.unit

SYSTEMS = ("lamp", "deepmts")
SUV = TensorFormat("image", "SUV", 1, (64, 64, 64), "float32", (0.0, 25.0), True, {"0": "SUV by body weight"})
MAP = TensorFormat("probabilities", "segmentation", 1, (64, 64, 64), "float32", (0.0, 1.0), True, {"0": "lesion"})
SAID = Description(
    name="lamp virtual",
    system="lamp",
    version="1.0.0",
    task="Prognosis of lymphoma from FDG PET/CT",
    description="LAMP trained on virtual patients.",
    authors="The authors of Nodal",
    copyright="Apache-2.0",
    changelog={"1.0.0": "first training"},
    trained_on="virtual",
    cohort="L2 train",
    cohort_digest="ab" * 32,
    folds=5,
    folds_digest=None,
    generator="A 1.0",
    inputs={"image": SUV},
    outputs={"pred": MAP},
    limits=("Trained in two legs; the optimiser was restarted between them.",),
)
EVIDENCE = Evidence("E0", "L2 test", 120, 41, True, (MetricEstimate("pfs_harrell_c", 0.701, 0.62, 0.78, "L2 test"),))
NETWORKS = {"segmentation": 3, "pfs": 4}


def tensors(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "conv.weight": torch.randn(64, 32, generator=generator),
        "conv.bias": torch.randn(64, generator=generator),
        "norm.running_var": torch.tensor([1.0, 1e6]),
        "norm.num_batches_tracked": torch.tensor(70_000),
    }


def export(folder: Path, **changes) -> Bundle:
    statistics = fit_statistics(["liver", "spleen"], np.random.default_rng(0).normal(size=(200, 2)))
    given = {"said": SAID, "evidence": EVIDENCE, "half": True, "limit_bytes": 1_000_000, **changes}
    networks = {name: tensors(seed) for name, seed in NETWORKS.items()}
    return export_bundle(
        folder,
        given["said"],
        networks,
        TrainConfig(steps=7),
        statistics,
        given["evidence"],
        half=given["half"],
        limit_bytes=given["limit_bytes"],
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return export(tmp_path / "lamp")


def refused(folder: Path, code: str, **options) -> None:
    with pytest.raises(BundleRefused) as caught:
        load_bundle(folder, SYSTEMS, **options)
    assert caught.value.code == code


def test_what_is_exported_is_loaded(bundle: Bundle) -> None:
    loaded = load_bundle(bundle.folder, SYSTEMS)
    assert (loaded.metadata, loaded.config, loaded.statistics, loaded.evidence) == (
        bundle.metadata,
        bundle.config,
        bundle.statistics,
        bundle.evidence,
    )
    assert loaded.networks == ("segmentation", "pfs")
    assert loaded.digest == bundle.digest


def test_the_layout_is_monais(bundle: Bundle) -> None:
    files = {file.relative_to(bundle.folder).as_posix() for file in bundle.folder.rglob("*") if file.is_file()}
    assert files == {
        "configs/metadata.json",
        "configs/train.yaml",
        "models/segmentation.safetensors",
        "models/pfs.safetensors",
        "docs/README.md",
        "statistics.json",
        "evidence.json",
    }
    parser = ConfigParser()
    parser.read_config(bundle.folder / "configs/train.yaml")
    parser.read_meta(bundle.folder / "configs/metadata.json")
    assert parser["_meta_#network_data_format#inputs#image#num_channels"] == 1
    assert parser["_meta_#monai_version"]
    assert parser["steps"] == 7


def test_half_precision_keeps_what_it_cannot_hold(bundle: Bundle) -> None:
    read, given = bundle.weights("pfs"), tensors(4)
    assert read["conv.weight"].dtype == torch.float16
    # float16 has 11 significant bits
    assert torch.allclose(read["conv.weight"].float(), given["conv.weight"], rtol=2**-11, atol=1e-7)
    assert torch.equal(read["norm.running_var"], given["norm.running_var"])
    assert torch.equal(read["norm.num_batches_tracked"], given["norm.num_batches_tracked"])


def test_full_precision_is_exact(tmp_path: Path) -> None:
    read = export(tmp_path / "full", half=False).weights("pfs")
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors(4).items())


def test_a_large_network_is_cut_into_files(tmp_path: Path) -> None:
    bundle = export(tmp_path / "cut", half=False, limit_bytes=8200)
    names = [entry.file for entry in bundle.metadata.nodal.weights if entry.network == "pfs"]
    assert names == [f"models/pfs-0000{number}-of-00002.safetensors" for number in (1, 2)]
    read = load_bundle(bundle.folder, SYSTEMS).weights("pfs")
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors(4).items())


def test_a_tensor_above_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="BUNDLE_TENSOR_TOO_LARGE"):
        export(tmp_path / "small", half=False, limit_bytes=8000)
    assert not (tmp_path / "small").exists()


def test_a_bundle_is_never_overwritten(bundle: Bundle) -> None:
    with pytest.raises(BundleRefused, match="BUNDLE_EXISTS"):
        export(bundle.folder)


@pytest.mark.parametrize("name", ["models/pfs.safetensors", "statistics.json", "evidence.json", "configs/train.yaml"])
def test_one_changed_bit_is_refused(bundle: Bundle, name: str) -> None:
    file = bundle.folder / name
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)
    refused(bundle.folder, "BUNDLE_DIGEST_MISMATCH")


@pytest.mark.parametrize(
    "name",
    ["models/pfs.safetensors", "statistics.json", "evidence.json", "configs/train.yaml", "configs/metadata.json"],
)
def test_a_missing_file_is_named(bundle: Bundle, name: str) -> None:
    (bundle.folder / name).unlink()
    with pytest.raises(BundleRefused, match="BUNDLE_FILE_MISSING") as caught:
        load_bundle(bundle.folder, SYSTEMS)
    assert name in caught.value.reason


def test_weights_are_verified_again_when_they_are_read(bundle: Bundle) -> None:
    loaded = load_bundle(bundle.folder, SYSTEMS)
    (bundle.folder / "models/pfs.safetensors").write_bytes(b"another")
    with pytest.raises(BundleRefused, match="BUNDLE_DIGEST_MISMATCH"):
        loaded.weights("pfs")


@pytest.mark.parametrize("name", ["models/pfs.pt", "docs/extra.pkl", "models/head.BIN"])
def test_a_pickle_is_refused_wherever_it_lies(bundle: Bundle, name: str) -> None:
    (bundle.folder / name).write_bytes(pickle.dumps({"weights": 1}))
    refused(bundle.folder, "BUNDLE_PICKLE")


def test_weights_that_are_not_listed_are_refused(bundle: Bundle) -> None:
    (bundle.folder / "models/other.safetensors").write_bytes(b"")
    refused(bundle.folder, "BUNDLE_FILE_UNLISTED")


def edit(bundle: Bundle, change) -> None:
    file = bundle.folder / "configs/metadata.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["../other/models/x.safetensors", "models/../../x.safetensors", "/etc/x.safetensors"])
def test_a_path_out_of_the_bundle_is_refused(bundle: Bundle, name: str) -> None:
    edit(bundle, lambda content: content["nodal"]["weights"][0].update(file=name))
    refused(bundle.folder, "BUNDLE_PICKLE")


def test_a_file_left_out_of_the_list_is_refused(bundle: Bundle) -> None:
    edit(bundle, lambda content: content["nodal"]["files"].pop())
    refused(bundle.folder, "BUNDLE_UNREADABLE")


def test_an_unknown_system_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleRefused, match=r"BUNDLE_SYSTEM_UNKNOWN: lamp is none of deepmts"):
        load_bundle(bundle.folder, ("deepmts",))


def test_a_newer_layout_is_refused_whatever_its_fields(bundle: Bundle) -> None:
    edit(bundle, lambda content: content.update(nodal={"layout": 2, "networks": []}))
    refused(bundle.folder, "BUNDLE_NEWER_LAYOUT")


@pytest.mark.parametrize("text", ["", "[1, 2]", "{}", '{"nodal": {"layout": 1}}'])
def test_metadata_of_something_else_is_refused(bundle: Bundle, text: str) -> None:
    (bundle.folder / "configs/metadata.json").write_text(text)
    refused(bundle.folder, "BUNDLE_UNREADABLE")


def test_virtual_training_never_speaks_as_patients(tmp_path: Path) -> None:
    bundle = export(tmp_path / "e1", evidence=replace(EVIDENCE, level="E1"))
    refused(bundle.folder, "BUNDLE_NOT_ACCEPTED", for_acceptance=True)


def test_a_bundle_of_patients_needs_an_acceptance_of_its_own_weights(tmp_path: Path) -> None:
    said = replace(SAID, trained_on="patients", generator=None)
    bundle = export(tmp_path / "site", said=said, evidence=replace(EVIDENCE, level="E1"))
    refused(bundle.folder, "BUNDLE_NOT_ACCEPTED")
    bundle = load_bundle(bundle.folder, SYSTEMS, for_acceptance=True)
    for passed, digest in ((False, bundle.digest), (True, "0" * 64)):
        write_evidence(bundle, replace(bundle.evidence, acceptance=Acceptance(passed, digest)))
        refused(bundle.folder, "BUNDLE_NOT_ACCEPTED")
    write_evidence(bundle, replace(bundle.evidence, acceptance=Acceptance(True, bundle.digest)))
    accepted = load_bundle(bundle.folder, SYSTEMS)
    assert accepted.digest == bundle.digest
    assert accepted.evidence.acceptance is not None


def test_the_card_says_what_is_known_and_what_is_not(tmp_path: Path) -> None:
    bundle = export(tmp_path / "card", evidence=replace(EVIDENCE, trained=False))
    card = (bundle.folder / "docs/README.md").read_text()
    for said in (
        "Simulation-trained, not for clinical use",
        "Not trained",
        "| pfs_harrell_c | 0.701 | 0.620 to 0.780 | L2 test |",
        "| events among them | 41 |",
        "Trained in two legs",
        "| in | image | SUV | 64 x 64 x 64 | 0 SUV by body weight |",
        "## Subgroups and fairness\n\nnot known",
    ):
        assert said in card
