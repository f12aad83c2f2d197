"""The multi-scale feature picture."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from lymphoma.multitask_unet.comparators import build_network
from lymphoma.multitask_unet.picture import feature_picture
from PIL import Image

from tests.unit.multitask_unet.cohorts import SIZE, arrays_of

pytestmark = pytest.mark.unit


@pytest.mark.paper("liu-figure4")
def test_a_picture_of_every_branch_and_the_same_twice() -> None:
    inputs = arrays_of(np.random.default_rng(0), 0.7)
    torch.manual_seed(0)
    widths = {}
    for model in ("ours", "C", "B"):
        network = build_network(model, SIZE, (2, 2, 2, 2)).eval()
        made = feature_picture(network, inputs)
        assert made == feature_picture(network, inputs)
        image = Image.open(BytesIO(made))
        assert image.format == "PNG"
        assert np.asarray(image.convert("L")).std() > 20  # not one grey sheet
        widths[model] = image.width
    # PET, three branches, lesions; PET, one branch, lesions; PET, one branch
    assert widths["ours"] > widths["C"] > widths["B"]


def test_a_network_without_branches_has_no_picture() -> None:
    network = build_network("A", SIZE, (2, 2, 2, 2)).eval()
    with pytest.raises(ValueError, match="no maps"):
        feature_picture(network, arrays_of(np.random.default_rng(0), 0.5))
