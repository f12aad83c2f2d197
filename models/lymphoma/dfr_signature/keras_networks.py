"""The seven image networks of the paper as Keras builds them, with PyTorch underneath.

Keras is part of the extra ``nodal[dfr]`` and is imported when a network is asked for, never when this module is.
A network is built without weights for 224 x 224 pixels: with its classifier, Keras takes its own ImageNet weights at no
other size than 331 (NASNet-Large) or 299 (Xception), though no layer of these two depends on the size.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.training.weights import Tensors

__all__ = [
    "BACKBONES", "CLASSES", "IMAGENET", "SIDE", "BackboneName", "Published", "build", "fill", "fill_randomly", "keras",
    "preprocessed", "tensors_digest", "tensors_of", "variables_of",
]  # fmt: skip

BackboneName = Literal["resnet50", "vgg16", "vgg19", "densenet121", "densenet169", "xception", "nasnet_large"]
BACKBONES: tuple[BackboneName, ...] = get_args(BackboneName)
SIDE = 224
"""Pixels a side of a crop."""
CLASSES = 1000
"""Outputs of the last layer: the features."""

Pixels = npt.NDArray[Any]
Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Published:
    """What Keras publishes of a network.

    Attributes:
        module: in ``keras.applications``. constructor: in it. mode: how its pixels are prepared: "caffe" (BGR less the
            mean of ImageNet), "torch" (0 to 1, then z-score of ImageNet), "tf" (-1 to 1). file: its ImageNet weights in
            Keras' own cache. md5: their digest as Keras' source has it; it has no other kind.
    """

    module: str
    constructor: str
    mode: Literal["caffe", "torch", "tf"]
    file: str
    md5: str


def _ordered(name: str) -> str:
    return f"{name}_weights_tf_dim_ordering_tf_kernels.h5"


IMAGENET: Mapping[BackboneName, Published] = {
    "resnet50": Published("resnet50", "ResNet50", "caffe", _ordered("resnet50"), "2cb95161c43110f7111970584f804107"),
    "vgg16": Published("vgg16", "VGG16", "caffe", _ordered("vgg16"), "64373286793e3c8b2b4e3219cbf3544b"),
    "vgg19": Published("vgg19", "VGG19", "caffe", _ordered("vgg19"), "cbe5617147190e668d6c5d5026f83318"),
    "densenet121": Published(
        "densenet", "DenseNet121", "torch", _ordered("densenet121"), "9d60b8095a5708f2dcce2bca79d332c7"
    ),
    "densenet169": Published(
        "densenet", "DenseNet169", "torch", _ordered("densenet169"), "d699b8f76981ab1b30698df4c175e90b"
    ),
    "xception": Published("xception", "Xception", "tf", _ordered("xception"), "0a58e3b7378bc2990ea3b43d5981f1f6"),
    "nasnet_large": Published("nasnet", "NASNetLarge", "tf", "nasnet_large.h5", "11577c9a518f0070763c2b964a382f17"),
}


def keras() -> Any:
    """Keras, imported now.

    Raises:
        NotComputable: ``NOT_INSTALLED``: it is not there, or this process runs it on something else than PyTorch, with
            channels first or in another precision than float32.
    """
    os.environ.setdefault("KERAS_BACKEND", "torch")  # read once, when Keras is imported
    try:
        module = importlib.import_module("keras")
    except ImportError as error:
        raise NotComputable("NOT_INSTALLED", "the image networks need Keras: install nodal[dfr]") from error
    found = (module.config.backend(), module.config.image_data_format(), module.config.floatx())
    if found != ("torch", "channels_last", "float32"):
        raise NotComputable(
            "NOT_INSTALLED", f"Keras is set to {', '.join(found)}; torch, channels_last, float32 are needed"
        )
    return module


def build(name: BackboneName, *, softmax: bool = False) -> Any:
    """A network without weights, as a Keras model, which is a ``torch.nn.Module`` too.

    Args:
        softmax: 1000 shares that add up to 1 in place of the 1000 values before them.

    Raises:
        NotComputable: as :func:`keras`. KeyError: no network of that name.
    """
    published = IMAGENET[name]
    module = getattr(keras().applications, published.module)
    return getattr(module, published.constructor)(
        weights=None,
        include_top=True,
        input_shape=(SIDE, SIDE, 3),
        classes=CLASSES,
        classifier_activation="softmax" if softmax else None,
    )


def preprocessed(name: BackboneName, pixels: Pixels) -> Features:
    """Pixels as the network was published to expect them, by Keras' own function.

    Args:
        pixels: (n, 224, 224, 3), 0 to 255, red, green, blue; left as they are.
    """
    copied = np.array(pixels, dtype=np.float32, order="C")  # Keras writes into what it is given
    prepare = keras().applications.imagenet_utils.preprocess_input
    return np.ascontiguousarray(
        prepare(copied, data_format="channels_last", mode=IMAGENET[name].mode), dtype=np.float32
    )


def tensors_of(network: Any) -> dict[str, torch.Tensor]:
    """All weights, moving means and variances included, as ``<number of the layer>.<Keras' word>``.

    Keras' own paths would not do: it numbers unnamed layers (Xception has some) through the whole process.
    """
    return {name: variable.value.detach().cpu() for name, variable in variables_of(network).items()}


def fill(network: Any, tensors: Tensors) -> None:
    """Takes weights over that :func:`tensors_of` gave, of any floating type.

    Raises:
        BundleRefused: ``BUNDLE_UNREADABLE``: they are another network's, or not finite.
    """
    own = variables_of(network)
    if own.keys() != tensors.keys() or any(tuple(own[name].shape) != tuple(one.shape) for name, one in tensors.items()):
        raise BundleRefused("BUNDLE_UNREADABLE", "the weights are not those of this image network")
    if not all(bool(torch.isfinite(one).all()) for one in tensors.values()):
        raise BundleRefused("BUNDLE_UNREADABLE", "a weight of the image network is not finite")
    for name, one in tensors.items():
        own[name].assign(one.to(torch.float32))


def fill_randomly(network: Any, seed: int) -> None:
    """He's normal weights (variance 2 / inputs), zero biases, neutral normalisation: the same for the same seed.

    Keras' own initialisers count the channels of a depthwise kernel as inputs, which they are not: signals die away in
    the deep ones of the seven.
    """
    generator = np.random.default_rng(seed)
    for name, variable in variables_of(network).items():
        shape = tuple(variable.shape)
        if name.endswith("kernel"):
            inputs = math.prod(shape[:2]) if name.endswith("depthwise_kernel") else math.prod(shape[:-1])
            drawn = generator.standard_normal(shape, dtype=np.float32) * np.float32(math.sqrt(2 / inputs))
            variable.assign(torch.from_numpy(drawn))
        else:
            variable.assign(torch.full(shape, float(name.endswith(("gamma", "variance")))))


def tensors_digest(name: BackboneName, tensors: Tensors) -> str:
    """SHA-256 of a network's name and its weights in float32, whatever file they came from."""
    digest = hashlib.sha256(name.encode())
    for key, tensor in sorted(tensors.items()):
        digest.update(f"{key}{tuple(tensor.shape)}".encode())
        digest.update(tensor.to(torch.float32).contiguous().numpy().data)
    return digest.hexdigest()


def variables_of(network: Any) -> dict[str, Any]:
    """Name, as of :func:`tensors_of`, -> Keras variable; in the order that Keras' own weight files have them."""
    named = {
        f"{number:04d}.{variable.name}": variable
        for number, layer in enumerate(network.layers)
        for variable in layer.weights
    }
    if len(named) != len(network.weights):
        raise AssertionError("two weights of one layer share a name")
    return named
