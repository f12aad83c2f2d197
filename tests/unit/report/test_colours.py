"""The colour rule of lesions."""

from __future__ import annotations

import numpy as np
import pytest
from nodal.report.colours import lesion_colour
from skimage.color import deltaE_ciede2000, rgb2lab

pytestmark = pytest.mark.unit


def test_neighbours_in_number_look_different() -> None:
    lab = rgb2lab(np.array([[lesion_colour(n) for n in range(1, 13)]], dtype=np.uint8))[0]
    for first in range(12):
        for second in range(first + 1, min(first + 5, 12)):
            # A difference of 2 to 3 is just visible beside each other; 12 is told apart at a distance.
            assert deltaE_ciede2000(lab[first], lab[second]) > 12


def test_every_colour_shows_on_white_paper() -> None:
    lightness = [rgb2lab(np.array(lesion_colour(n), dtype=np.uint8) / 255.0)[0] for n in range(1, 121)]
    assert max(lightness) < 70
    assert min(lightness) > 35


def test_a_number_keeps_its_colour() -> None:
    assert lesion_colour(1) == (215, 76, 78)
