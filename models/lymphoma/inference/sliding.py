"""A network over a whole body, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch

from lymphoma.imaging.working import Box
from lymphoma.inference.device import Processor
from lymphoma.inference.windows import Windows

__all__ = ["blended", "over_windows", "padded"]

T = TypeVar("T")


def padded(image: torch.Tensor, windows: Windows, air: torch.Tensor) -> torch.Tensor:
    """The image with air at the far ends, as the windows want it.

    Args:
        image: shape (channels, k, j, i). air: value of each channel in air, shape (channels).
    """
    if image.shape[1:] == windows.padded:
        return image
    whole = air[:, None, None, None].expand(len(image), *windows.padded).clone()
    k, j, i = windows.body
    whole[:, :k, :j, :i] = image
    return whole


def over_windows(
    network: Callable[[torch.Tensor], T],
    image: torch.Tensor,
    windows: Windows,
    processor: Processor,
    only: Iterable[int] | None = None,
) -> Iterator[tuple[Box, T]]:
    """What the network gives for each window, one at a time: shape (1, channels, ...) on the processor's device.

    Args:
        network: in evaluation mode, on the processor's device. image: of :func:`padded`, in the CPU's memory.
        only: numbers of the windows to run; all by default.
    """
    boxes = list(windows)
    for number in range(len(boxes)) if only is None else only:
        window = image[(slice(None), *boxes[number])][None].to(processor.device)
        with torch.inference_mode(), processor.numbers():
            given = network(window)
        yield boxes[number], given


def blended(
    network: Callable[[torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    windows: Windows,
    processor: Processor,
    air: torch.Tensor,
) -> torch.Tensor:
    """The weighted mean of the windows' outputs in each voxel of the body.

    Args:
        image: shape (channels, k, j, i) of the body, float32, in the CPU's memory.

    Returns:
        shape (outputs, k, j, i), float32, in the CPU's memory.
    """
    whole: torch.Tensor | None = None
    weights = windows.weights.to(processor.device)
    for box, given in over_windows(network, padded(image, windows, air), windows, processor):
        if whole is None:
            whole = torch.zeros((given.shape[1], *windows.padded))
        whole[(slice(None), *box)] += (given[0].float() * weights).cpu()
    if whole is None:
        raise ValueError("a body has one window at least")
    k, j, i = windows.body
    return (whole / windows.total)[:, :k, :j, :i]
