"""What draws the pages takes part in the identity of what is drawn."""

from __future__ import annotations

import pytest
from nodal.report import canonical
from nodal.report.canonical import inputs_digest
from nodal.report.drawing import drawn_with

from tests.unit.report.sample import sample_inputs

pytestmark = pytest.mark.unit


def test_libraries_and_fonts_are_named() -> None:
    known = drawn_with()
    assert any(entry.startswith("reportlab ") for entry in known)
    assert any(entry.startswith("NotoSans-Regular.ttf ") for entry in known)


def test_other_fonts_are_another_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = sample_inputs(1)
    before = inputs_digest(inputs)
    monkeypatch.setattr(canonical, "drawn_with", lambda: ("other fonts",))
    assert inputs_digest(inputs) != before
