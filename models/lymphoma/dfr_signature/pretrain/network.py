"""An image network of Keras as the trainer of this project runs it."""

from __future__ import annotations

import torch

from lymphoma.dfr_signature.keras_networks import (
    IMAGENET,
    BackboneName,
    build,
    fill_randomly,
    keras,
    tensors_of,
    variables_of,
)

__all__ = ["LearningBackbone"]


class LearningBackbone(torch.nn.Module):
    """Grey crops (n, 224, 224), 0 to 255, to logits (n, 1000); prepared as at inference.

    Its parameters are those of Keras by the names of :func:`lymphoma.dfr_signature.keras_networks.tensors_of`: Keras'
    own would number unnamed layers through the whole process, and a run that goes on would not find them. Moving means
    and variances are parameters without a gradient, which Keras itself keeps up.
    """

    def __init__(self, name: BackboneName, seed: int) -> None:
        super().__init__()
        with keras().device("cpu"):
            network = build(name)
        fill_randomly(network, seed)
        self._keras = (network,)  # in a tuple: as a module it would register all parameters once more
        self._mode = IMAGENET[name].mode
        for key, variable in variables_of(network).items():
            self.register_parameter(key.replace(".", "_"), variable.value)

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        prepare = keras().applications.imagenet_utils.preprocess_input
        coloured = grey[..., None].expand(*grey.shape, 3).contiguous()  # some ways of preparing write into it
        with keras().device(str(grey.device)):
            pixels = prepare(coloured, data_format="channels_last", mode=self._mode)
            logits: torch.Tensor = self._keras[0](pixels, training=self.training)
        return logits

    def tensors(self) -> dict[str, torch.Tensor]:
        """See :func:`lymphoma.dfr_signature.keras_networks.tensors_of`."""
        return tensors_of(self._keras[0])
