"""Whatever the patient, no two texts of a report overlap and nothing is cut."""

from __future__ import annotations

import numpy as np
import pytest
from nodal.report.pdf_flow import LEFT, RIGHT

from tests.unit.report.reports import CASES, drawn

pytestmark = [pytest.mark.unit, pytest.mark.filterwarnings("ignore:The PN component length")]


@pytest.mark.parametrize("name", CASES)
def test_no_two_texts_overlap(name: str) -> None:
    for number, page in enumerate(drawn(name)):
        upright = [one for one in page if not one.tilted]
        sides = np.array([(one.left, one.bottom, one.right, one.top) for one in upright])
        low, high = sides[:, None, :2], sides[:, None, 2:]
        # Boxes of ink; a quarter of a point is the curve of one letter reaching under its neighbour.
        common = np.minimum(high, sides[None, :, 2:]) - np.maximum(low, sides[None, :, :2])
        overlap = (common > 0.25).all(axis=2)
        first, second = np.nonzero(np.triu(overlap, k=2))
        found = [
            (upright[a].text, upright[b].text, round(upright[a].left), round(upright[a].top))
            for a, b in zip(first, second, strict=True)
        ]
        assert not found, (number + 1, found[:8])


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_cut_at_the_margins(name: str) -> None:
    for page in drawn(name):
        for one in page:
            if one.tilted:
                assert 0 <= one.left <= one.right <= 595.3
                assert 0 <= one.bottom <= one.top <= 841.9
                continue
            # The numbers left of the first projection hang into the margin.
            assert LEFT - 15 <= one.left <= one.right <= RIGHT + 1, one
            assert 12 <= one.bottom <= one.top <= 825, one
