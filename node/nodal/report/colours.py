"""The colours of lesions: each one's own, the same in SEG, summary image and PDF, and a scale for a weight."""

from __future__ import annotations

from functools import cache

import numpy as np
from skimage.color import lab2rgb, rgb2lab

__all__ = ["lesion_colour", "weight_colour"]

# Turning the hue by the golden angle keeps neighbours in number far apart, however many lesions there are.
_GOLDEN_ANGLE_RAD = np.pi * (3.0 - np.sqrt(5.0))
_FIRST_HUE_RAD = np.deg2rad(28.0)
# Dark enough for a line on white paper, light enough for an overlay on a dark viewer.
_LIGHTNESS = (52.0, 62.0, 44.0)
_CHROMA = 62.0

# From pale yellow over red to dark blue: lightness falls evenly, so that the order is seen whatever colours an eye can
# tell apart, and on a grey print; no step is grey, as the projection is.
_WEIGHT_ENDS_LAB = ((94.0, -8.0, 52.0), (58.0, 48.0, 18.0), (22.0, 34.0, -50.0))


def weight_colour(share: float) -> tuple[int, int, int]:
    """The colour of a weight between nothing (0) and the largest (1), as sRGB 0..255; darker is more."""
    places = np.linspace(0.0, 1.0, len(_WEIGHT_ENDS_LAB))
    lab = np.array([np.interp(share, places, channel) for channel in zip(*_WEIGHT_ENDS_LAB, strict=True)])
    red, green, blue = (round(255 * float(part)) for part in lab2rgb(lab))
    return red, green, blue


@cache
def lesion_colour(number: int) -> tuple[int, int, int]:
    """The colour of the lesion with this number (from 1), as sRGB 0..255; depends on nothing else."""
    hue = _FIRST_HUE_RAD + (number - 1) * _GOLDEN_ANGLE_RAD
    lab = np.array([_LIGHTNESS[(number - 1) % len(_LIGHTNESS)], _CHROMA * np.cos(hue), _CHROMA * np.sin(hue)])
    # Out-of-gamut corners are pulled in by lowering the chroma, so that the hue stays.
    for _ in range(12):
        rgb = lab2rgb(lab)
        if np.allclose(lab, rgb2lab(rgb), atol=1.0):
            break
        lab[1:] *= 0.92
    red, green, blue = (round(255 * float(part)) for part in lab2rgb(lab))
    return red, green, blue
