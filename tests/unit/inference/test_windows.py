"""Windows: they cover the body, overlap as they should, and their weights give a mean."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from lymphoma.inference.device import Processor
from lymphoma.inference.sliding import blended, over_windows, padded
from lymphoma.inference.windows import LARGER, OVERLAP, SMALLER, fit_windows
from monai.inferers import sliding_window_inference

pytestmark = pytest.mark.unit

CPU = Processor(torch.device("cpu"))
NOTHING = torch.zeros(2)


@pytest.mark.parametrize("body", [(260, 81, 128), (244, 108, 125), (134, 66, 97), (30, 300, 12)])
def test_windows_cover_the_body_and_overlap_enough(body: tuple[int, int, int]) -> None:
    windows = fit_windows(body, (64, 64, 64), multiple=8)
    assert torch.all(windows.total > 0)
    for axis, length in enumerate(windows.padded):
        edge = windows.size[axis]
        assert edge % 8 == 0
        assert SMALLER * 64 <= edge <= LARGER * 64
        starts = sorted({start[axis] for start in windows.starts})
        assert starts[0] == 0
        assert starts[-1] + edge == length >= body[axis]
        # starts are whole voxels, so that an even spacing may miss the share by less than one
        assert all(second - first <= edge * (1 - OVERLAP) + 1 for first, second in pairwise(starts))


def test_a_whole_body_takes_far_fewer_voxels_than_windows_of_the_training() -> None:
    windows = fit_windows((260, 81, 128), (64, 64, 64), multiple=8)
    looked_at = len(windows) * int(np.prod(windows.size))
    of_training = 6 * 2 * 3 * 64**3
    assert looked_at < 0.55 * of_training


def test_holding_finds_the_windows_of_voxels() -> None:
    windows = fit_windows((100, 20, 20), (16, 16, 16), multiple=4)
    boxes = list(windows)
    voxel = np.array([[50, 10, 19]])
    held = [
        number
        for number, box in enumerate(boxes)
        if all(side.start <= at < side.stop for side, at in zip(box, voxel[0], strict=True))
    ]
    assert windows.holding(voxel) == tuple(held)
    assert 0 < len(held) < len(windows)


def test_blending_is_the_weighted_mean_of_the_windows() -> None:
    image = torch.randn(2, 40, 20, 30, generator=torch.Generator().manual_seed(1))
    windows = fit_windows((40, 20, 30), (16, 16, 16), multiple=4)

    def position(window: torch.Tensor) -> torch.Tensor:
        """Differs from window to window where they overlap."""
        return torch.cat(
            [window, torch.linspace(0, 1, window.shape[2])[None, None, :, None, None].expand_as(window)], 1
        )

    given = blended(position, image, windows, CPU, NOTHING)
    whole = torch.zeros(4, *windows.padded, dtype=torch.float64)
    for box, found in over_windows(position, padded(image, windows, NOTHING), windows, CPU):
        whole[(slice(None), *box)] += found[0].double() * windows.weights.double()
    assert torch.allclose(given[:2], image, atol=1e-6)
    assert torch.allclose(given.double(), (whole / windows.total.double())[:, :40, :20, :30], atol=1e-6)


def test_blending_agrees_with_monai_where_the_windows_are_the_same() -> None:
    torch.manual_seed(2)
    network = torch.nn.Conv3d(2, 3, kernel_size=3, padding=1)
    image = torch.randn(1, 2, 28, 16, 16)
    windows = fit_windows((28, 16, 16), (16, 16, 16), multiple=16, overlap=0.25)
    assert windows.starts == ((0, 0, 0), (12, 0, 0))
    with torch.no_grad():
        theirs = sliding_window_inference(image, (16, 16, 16), 1, network, overlap=0.25, mode="gaussian")
    assert torch.allclose(blended(network, image[0], windows, CPU, NOTHING), theirs[0], atol=1e-6)


def test_a_body_smaller_than_a_window_is_filled_up_with_air() -> None:
    windows = fit_windows((5, 20, 7), (16, 16, 16), multiple=4)
    assert windows.padded[0] == windows.padded[2] == 12
    image = padded(torch.ones(2, 5, 20, 7), windows, torch.tensor([-1.0, -2.0]))
    assert image.shape[1:] == windows.padded
    assert torch.all(image[1, 5:] == -2.0)
    assert torch.all(image[:, :5, :20, :7] == 1.0)
    assert blended(lambda window: window, torch.ones(2, 5, 20, 7), windows, CPU, NOTHING).shape == (2, 5, 20, 7)
