"""The published architecture computed a second time, with Keras: layers called one by one with given weights.

Channels come last, paddings have Keras' names, and nothing is shared with the network under test but the numbers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

Floats = npt.NDArray[np.float32]


class Reference:
    """Layers by the names of the tensors that hold their weights."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self._weights = weights

    def conv(self, x: object, name: str, *, stride: int = 1, padding: str = "same") -> object:
        kernel = np.transpose(self._weights[f"{name}.weight"], (2, 3, 4, 1, 0))
        layer = keras.layers.Conv3D(kernel.shape[-1], kernel.shape[0], strides=stride, padding=padding)
        layer.build(tuple(x.shape))
        layer.set_weights([kernel, self._weights[f"{name}.bias"]])
        return layer(x)

    def norm(self, x: object, name: str) -> object:
        layer = keras.layers.BatchNormalization()
        layer.build(tuple(x.shape))
        layer.set_weights(
            [self._weights[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
        )
        return layer(x, training=False)

    def dense(self, x: object, name: str, activation: str | None) -> object:
        kernel = self._weights[f"{name}.weight"].T
        layer = keras.layers.Dense(kernel.shape[1], activation=activation)
        layer.build(tuple(x.shape))
        layer.set_weights([kernel, self._weights[f"{name}.bias"]])
        return layer(x)

    def conv_norm_relu(self, x: object, name: str) -> object:
        return keras.ops.relu(self.norm(self.conv(x, f"{name}.0"), f"{name}.1"))

    def stage(self, x: object, name: str, convolutions: int) -> object:
        for number in range(convolutions):
            beside = x if number else self.conv_norm_relu(x, f"{name}.shortcut")
            x = keras.layers.add([self.conv_norm_relu(x, f"{name}.blocks.{number}"), beside])
        return x

    def __call__(self, image: Floats, clinic: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """(answer, probability of both channels, the 124 and the 112 features) of an image with the channels last."""
        x = keras.ops.convert_to_tensor(image)
        encoded = []
        for number, convolutions in enumerate((2, 2, 3, 3, 4)):
            given = keras.layers.MaxPooling3D(2)(encoded[-1]) if encoded else x
            encoded.append(self.stage(given, f"backbone.down.{number}", convolutions))
        y = encoded[-1]
        for number, convolutions in enumerate((3, 3, 2, 2)):
            y = keras.layers.concatenate([keras.layers.UpSampling3D(2)(y), encoded[3 - number]])
            y = self.stage(y, f"backbone.up.{number}", convolutions)
        both = keras.ops.softmax(self.conv(y, "backbone.last"), axis=-1)
        mean = keras.layers.GlobalAveragePooling3D()
        deep = keras.layers.concatenate(
            [mean(self.conv_norm_relu(one, f"taps.{number}")) for number, one in enumerate(encoded)]
        )
        cascaded = self.cascade(keras.layers.concatenate([x, both[..., :1]]))
        hidden = [self.dense(one, f"head.groups.{at}", "relu") for at, one in enumerate((deep, cascaded))]
        last = self.dense(keras.layers.concatenate([*hidden, keras.ops.convert_to_tensor(clinic)]), "head.last", None)
        found = (last, both, deep, cascaded)
        return tuple(keras.ops.convert_to_numpy(one) for one in found)  # type: ignore[return-value]

    def cascade(self, x: object) -> object:
        x = self.conv(x, "survival.stem.0", stride=2, padding="valid")
        x = keras.layers.MaxPooling3D(3, strides=2, padding="valid")(x)
        means = []
        for block, layers in enumerate((4, 8, 16)):
            if block:
                x = keras.layers.AveragePooling3D(2)(x)
            for number in range(layers):
                name = f"survival.blocks.{block}.{number}.layers"
                y = self.conv(keras.ops.relu(self.norm(x, f"{name}.0")), f"{name}.2")
                y = self.conv(keras.ops.relu(self.norm(y, f"{name}.4")), f"{name}.6")
                x = keras.layers.concatenate([x, y])
            name = f"survival.transitions.{block}"
            x = self.conv(keras.ops.relu(self.norm(x, f"{name}.0")), f"{name}.2")
            means.append(
                keras.layers.GlobalAveragePooling3D()(keras.ops.relu(self.norm(x, f"survival.taps.{block}.0")))
            )
        return keras.layers.concatenate(means)
