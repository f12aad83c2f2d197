"""The anatomy network from the folders that hold one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.network import AnatomyShape, build_network
from lymphoma.anatomy.shipped import open_anatomy
from lymphoma.errors import BundleRefused, TrainingFailed
from lymphoma.training.config import read_config
from lymphoma.training.legs import write_handover
from lymphoma.training.result import save_weights
from lymphoma.training.state import RunState
from safetensors.torch import save_file

pytestmark = pytest.mark.unit

CONFIG = Path(build_network.__code__.co_filename).with_name("train.yaml")


def some_network() -> torch.nn.Module:
    torch.manual_seed(5)
    return build_network(AnatomyShape(), len(shipped_classes()))


def same(network: torch.nn.Module, other: torch.nn.Module, tolerance: float = 0.0) -> bool:
    pairs = zip(network.parameters(), other.parameters(), strict=True)
    return all(torch.allclose(one, two, atol=tolerance, rtol=tolerance) for one, two in pairs)


def test_a_finished_run(tmp_path: Path) -> None:
    network = some_network()
    save_weights(tmp_path, network.state_dict(), {})
    engine = open_anatomy(tmp_path)
    assert engine.name == "network"
    assert not engine.network.training
    assert same(engine.network, network)


def test_a_hand_over_in_half_precision(tmp_path: Path) -> None:
    network, folder = some_network(), tmp_path / "handover"
    write_handover(folder, read_config(CONFIG), RunState(step=3), network.state_dict(), None)
    engine = open_anatomy(folder)
    assert next(engine.network.parameters()).dtype == torch.float32
    assert same(engine.network, network, tolerance=1e-3)  # float16 has a unit in the last place of 2^-11


def test_each_tensor_once_is_enough(tmp_path: Path) -> None:
    """The network has two names for most of its tensors."""
    network = some_network()
    once = dict(network.named_parameters())
    assert len(once) < len(network.state_dict())
    save_file({name: tensor.detach().clone() for name, tensor in once.items()}, tmp_path / "kept.safetensors")
    assert same(open_anatomy(tmp_path).network, network)


@pytest.mark.parametrize("fault", ["missing", "shape", "strange"])
def test_weights_of_another_network_are_refused(tmp_path: Path, fault: str) -> None:
    tensors = {name: tensor.detach().clone() for name, tensor in some_network().named_parameters()}
    first = next(iter(tensors))
    if fault == "missing":
        del tensors[first]
    elif fault == "shape":
        tensors[first] = torch.zeros(1, 1)
    else:
        tensors["strange"] = torch.zeros(1)
    save_file(tensors, tmp_path / "kept.safetensors")
    with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
        open_anatomy(tmp_path)


def test_any_other_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="HANDOVER_UNUSABLE"):
        open_anatomy(tmp_path)
