"""``python -m lymphoma.segmentation.plain``: a plain U-Net of the same size, for LAMP's lesion network to be judged by.

One encoder that sees PET and CT as two channels, one decoder, deep supervision: nnU-Net's plan without LAMP's
structure. Everything else is LAMP's: patches, their order and augmentation, seeds, steps, schedule (the same
train.yaml), window and inference. It is a peer for figures and is not shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from monai.networks.nets import DynUNet

from lymphoma.segmentation.network import OUTCOMES, LampShape
from lymphoma.segmentation.task import LampTask, judged_bodies
from lymphoma.segmentation.train import lamp_task
from lymphoma.training.command import NetworkPatients, network_patients, run_command
from lymphoma.training.config import TrainConfig
from lymphoma.training.images import Patches, infer_whole, segmentation_loss
from lymphoma.training.task import Draw, Loss, NullLoss

__all__ = ["WIDTHS", "PlainTask", "main", "plain_network", "plain_probability"]

WIDTHS = (22, 44, 88, 176)
"""2.65 million weights, where LAMP's network of the shipped size has 2.69: its shared encoder spares what its further
decoders cost."""


def plain_network(widths: Sequence[int] = WIDTHS, supervised: int = 3) -> torch.nn.Module:
    """Input (n, 2, k, j, i), PET and CT of :func:`lymphoma.segmentation.network.image_of`; output: logits, (n, 2, ...).

    In training mode (n, supervised, 2, ...): deeper answers brought to full size, full size first.
    """
    levels = len(widths)
    network: torch.nn.Module = DynUNet(
        spatial_dims=3,
        in_channels=2,
        out_channels=OUTCOMES,
        kernel_size=[3] * levels,
        strides=[1, *[2] * (levels - 1)],
        upsample_kernel_size=[2] * (levels - 1),
        filters=list(widths),
        norm_name=("INSTANCE", {"affine": True}),
        deep_supervision=True,
        deep_supr_num=supervised - 1,
    )
    return network


def plain_probability(
    network: torch.nn.Module,
    image: npt.NDArray[np.float32],
    window: tuple[int, int, int],
    *,
    device: torch.device,
    overlap: float = 0.25,
) -> npt.NDArray[np.float32]:
    """Of a lesion over a whole body, shape (k, j, i), 0 to 1; the network is in evaluation mode.

    Args:
        image: of :func:`lymphoma.segmentation.network.image_of`, shape (2, k, j, i).
    """
    given = infer_whole(_Answer(network), torch.from_numpy(image)[None], window, device=device, overlap=overlap)
    probability: npt.NDArray[np.float32] = given[0, 0].numpy()
    return probability


@dataclass(frozen=True, eq=False)
class PlainTask:
    """A task of :class:`lymphoma.training.trainer.Trainer`.

    Attributes:
        peer: LAMP's task, whose patches these are.
    """

    peer: LampTask
    widths: tuple[int, ...] = WIDTHS

    @cached_property
    def _loss(self) -> Callable[[Sequence[torch.Tensor], torch.Tensor], torch.Tensor]:
        return segmentation_loss(classes=OUTCOMES, deep_supervision=True)

    def network(self) -> torch.nn.Module:
        return plain_network(self.widths, self.peer.shape.supervised)

    def batch(self, draw: Draw) -> Patches:
        return self.peer.batch(draw)

    def loss(self, network: torch.nn.Module, batch: Patches) -> Loss:
        answers = torch.unbind(network(batch.image).float(), dim=1)
        return Loss(self._loss(answers, batch.label))

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        """See :func:`lymphoma.segmentation.task.judged_bodies`."""
        probability = partial(plain_probability, network, window=self.peer.shape.window, device=device)
        return judged_bodies(self.peer.validation, self.peer.read, probability)

    @property
    def null_loss(self) -> NullLoss | None:
        return None


class _Answer(torch.nn.Module):
    """Probabilities, which are what overlapping windows may average."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self._network(image).float(), dim=1)[:, 1:]


def main(arguments: list[str] | None = None) -> int:
    """Runs one leg; see ``--help``."""
    shape = LampShape()
    return run_command(
        "lymphoma.segmentation.plain",
        Path(__file__).with_name("train.yaml"),
        partial(network_patients, shape.edge_mm),
        partial(_task, shape),
        arguments,
    )


def _task(shape: LampShape, patients: NetworkPatients, config: TrainConfig) -> PlainTask:
    return PlainTask(lamp_task(shape, patients, config))


if __name__ == "__main__":
    raise SystemExit(main())
