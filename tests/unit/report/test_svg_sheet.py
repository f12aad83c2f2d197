"""The picture in SVG: well-formed whatever the words, laid out as on paper, the same every time."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from nodal.report.fonts import Typesetter
from nodal.report.pdf_sheet import ACCENT, INK, Document
from nodal.report.sheet import Sheet
from nodal.report.svg_sheet import SvgSheet

pytestmark = pytest.mark.unit

SPACE = "{http://www.w3.org/2000/svg}"
LETTERS = Typesetter()


def picture(title: str = "picture") -> SvgSheet:
    return SvgSheet(200, 100, title, LETTERS)


def root(sheet: SvgSheet) -> ElementTree.Element:
    return ElementTree.fromstring(sheet.svg())


def draw(sheet: Sheet) -> float:
    sheet.box(1, 2, 30, 20, fill=ACCENT, stroke=INK, radius=2)
    sheet.rule(0, 0, 10, 10)
    sheet.polygon([(0, 0), (5, 5), (9, 1)], stroke=None, width=0, fill=ACCENT, opacity=0.25)
    sheet.polygon([(0, 0), (5.006, 5)], stroke=INK, width=1, closed=False, dash=(3, 1.5))
    return sheet.text(10, 20, "Survival", 8, bold=True, max_width=100)


def test_both_sheets_take_the_same_drawing_and_lay_text_out_alike():
    """Paper and screen: one drawing, one width of text."""
    paper = Document((200, 100), "paper")
    assert draw(picture()) == draw(paper)
    assert paper.save().startswith(b"%PDF")


@pytest.mark.parametrize(
    "word", ['<script>alert("x")</script>', "p < 0.05 & C > .7", "a\x00b\x1bc\ud800", "]]>", "'\""]
)
def test_any_text_stays_text(word):
    """Names come from files: nothing in them becomes markup, and what XML forbids is replaced."""
    sheet = picture(word)
    sheet.text(0, 10, word, 8)
    tree = root(sheet)
    # A control character has no width: the line is as wide as its visible letters.
    shown = "".join("\ufffd" if ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 else c for c in word)
    assert tree.findtext(f"{SPACE}title") == shown
    assert [one.text for one in tree.iter(f"{SPACE}text")] == [shown]
    assert not list(tree.iter(f"{SPACE}script"))


def test_a_line_keeps_the_width_it_was_laid_out_with():
    """Another face on the reader's machine moves nothing."""
    sheet = picture()
    width = sheet.text(50, 10, "IMPI refitted", 7, align="right")
    (text,) = root(sheet).iter(f"{SPACE}text")
    assert float(text.attrib["textLength"]) == pytest.approx(width, abs=0.005)
    assert text.attrib["text-anchor"] == "end"


def test_what_is_too_long_ends_in_an_ellipsis_as_on_paper():
    """The same letters fit on both."""
    sheet, paper = picture(), Document((200, 100), "paper")
    assert sheet.text(0, 10, "A name that is far too long", 8, max_width=40) <= 40
    (text,) = root(sheet).iter(f"{SPACE}text")
    assert str(text.text).endswith("…")
    assert paper.text(0, 10, "A name that is far too long", 8, max_width=40) == pytest.approx(
        LETTERS.width(str(text.text), 8)
    )


def test_strokes_fills_dashes_and_opacity_are_written():
    """What is not asked for is not there."""
    sheet = picture()
    draw(sheet)
    area, line = list(root(sheet).iter(f"{SPACE}path"))[1:]
    assert area.attrib["d"].endswith("Z")
    assert "stroke" not in area.attrib
    assert area.attrib["fill-opacity"] == "0.25"
    assert line.attrib["d"] == "M0 0L5.01 5"
    assert (line.attrib["fill"], line.attrib["stroke-dasharray"]) == ("none", "3 1.5")


def test_the_same_drawings_are_the_same_text():
    """On paper, byte for byte, as well."""
    first, second = picture(), picture()
    papers = [Document((200, 100), "paper") for _ in range(2)]
    for sheet in (first, second, *papers):
        draw(sheet)
    assert first.svg() == second.svg()
    assert papers[0].save() == papers[1].save()


def test_nothing_outside_is_asked_for():
    """No link, no style sheet, no font file."""
    sheet = picture()
    draw(sheet)
    assert "href" not in sheet.svg()
    assert "url(" not in sheet.svg()
