"""The frequency of organs, given back to a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.network import AnatomyShape, NetworkAnatomy, build_network
from lymphoma.anatomy.prior import BIAS, PRIOR_SHARE, class_shift, give_back
from lymphoma.inference.device import Processor

pytestmark = pytest.mark.unit

SHAPE = AnatomyShape(widths=(4, 8, 8), window=(16, 16, 16))


def test_shift_is_half_the_log_of_the_root_of_the_frequency() -> None:
    labels = np.repeat(np.array([0, 1, 2, 255], dtype=np.uint8), [100, 25, 4, 50])
    shift = class_shift([labels[:60], labels[60:]], 4)
    expected = PRIOR_SHARE * 0.5 * np.log([1.0, 0.25, 0.04, 0.04])
    assert shift.tolist() == pytest.approx(expected.tolist())


def test_every_logit_moves_by_its_shift() -> None:
    torch.manual_seed(1)
    table = shipped_classes()
    network = build_network(SHAPE, len(table)).eval()
    assert BIAS in network.state_dict()
    engine = NetworkAnatomy(network, table, SHAPE, Processor(torch.device("cpu")))
    suv, ct = np.random.default_rng(2).random((2, 16, 16, 16)).astype(np.float32)
    before = engine.logits(suv, ct)
    shift = torch.linspace(-3, 0, len(table))
    give_back(network, shift)
    after = engine.logits(suv, ct)
    assert torch.allclose(after - before, shift[:, None, None, None].expand_as(after), atol=1e-5)
