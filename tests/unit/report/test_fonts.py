"""Text in any script: right glyphs in the right order, or readable code points; fonts embedded."""

from __future__ import annotations

import io
import random
import subprocess
import unicodedata
from pathlib import Path

import arabic_reshaper
import pytest
from bidi import get_display
from nodal.report.fonts import Line, Shelf, Typesetter
from nodal.report.pdf_sheet import Document

pytestmark = pytest.mark.unit

NAMES = {
    "Latin": "Müller-Łukasiewicz, Søren Đặng",
    "Greek": "Παπαδόπουλος, Γεώργιος",
    "Cyrillic": "Достоевский, Фёдор",
    "Han and kana": "山田 太郎 やまだ たろう ヤマダ",
    "Hangul": "김희중 金喜中",
    "Arabic": "قباني، نزار",
    "Persian": "کریم‌زاده، فاطمه",
    "Hebrew": "כהן, דבורה",
    "Devanagari": "अनिल कुमार",
    "Thai": "กิตติพงษ์",
}


@pytest.fixture(scope="module")
def typesetter() -> Typesetter:
    return Typesetter()


def glyph_ids(line: Line) -> list[int]:
    return [glyph.glyph_id for run in line.runs for glyph in run.glyphs]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("bold", [False, True])
def test_names_are_drawn_whole(typesetter: Typesetter, name: str, bold: bool) -> None:
    line = typesetter.line(name, bold)
    assert line.text == unicodedata.normalize("NFC", name)
    assert 0 not in glyph_ids(line)
    assert line.width_em > 0.3 * len(name.split()[0])


def test_no_character_becomes_an_empty_box(typesetter: Typesetter) -> None:
    # One in seventy-five of all code points, the same ones each time: assigned, unassigned, private, surrogates.
    points = random.Random(3).sample(range(0x20, 0x30000), 2600)
    for point in points:
        line = typesetter.line(f"a{chr(point)}b")
        assert 0 not in glyph_ids(line), f"U+{point:04X} as {line.text!r}"
        shown = line.text[1:-1]
        normal = unicodedata.normalize("NFC", chr(point))
        assert shown in (normal, " ", f"U+{point:04X}") or "U+" in shown, f"U+{point:04X} shown as {shown!r}"


def test_arabic_is_joined_as_another_tool_joins_it(typesetter: Typesetter) -> None:
    # No lam with alef: there the face's own ligature stands, and the presentation form is another glyph.
    word = "محمد"
    line = typesetter.line(word)
    (run,) = line.runs
    visual = get_display(arabic_reshaper.reshape(word))
    expected = [run.face.hb_font.get_nominal_glyph(ord(letter)) for letter in visual]
    assert [glyph.glyph_id for glyph in run.glyphs] == expected
    alone = [glyph for letter in word for glyph in glyph_ids(typesetter.line(letter))]
    assert sorted(alone) != sorted(expected)


def test_hebrew_runs_from_the_right_and_numbers_do_not(typesetter: Typesetter) -> None:
    line = typesetter.line("כהן 123")
    drawn = "".join(glyph.text for run in line.runs for glyph in run.glyphs)
    assert drawn == get_display("כהן 123") == "123 ןהכ"


def test_zero_width_non_joiner_keeps_letters_apart(typesetter: Typesetter) -> None:
    assert glyph_ids(typesetter.line("میم")) != [
        glyph for glyph in glyph_ids(typesetter.line("می\u200cم")) if glyph not in glyph_ids(typesetter.line("\u200c"))
    ]


def test_regional_forms_of_han() -> None:
    # U+76F4 differs between Japanese and Chinese.
    japanese, chinese = (Typesetter(han=style).line("直") for style in ("JP", "SC"))
    assert glyph_ids(japanese) != glyph_ids(chinese)


def test_unknown_characters_are_said_as_code_points(typesetter: Typesetter) -> None:
    assert typesetter.line("A\ue000\x07\U000f0000Z").text == "AU+E000U+0007U+F0000Z"
    assert typesetter.line("\ud800").text == "U+D800"


def test_without_noto_latin_is_drawn_and_the_rest_is_code_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typesetter = Typesetter(Shelf((tmp_path,)))
    assert "noto_fonts_missing" in "".join(capsys.readouterr())
    line = typesetter.line("Müller 山")
    assert line.text == "Müller U+5C71"
    assert 0 not in glyph_ids(line)
    assert {run.face.path.name for run in line.runs} == {"Vera.ttf"}


def test_marks_stay_with_their_letter(typesetter: Typesetter) -> None:
    pieces = typesetter.wrap("x\u0323\u0307" * 40, 10.0, 50.0)
    assert len(pieces) > 1
    assert not any(unicodedata.combining(piece[0]) for piece in pieces)
    assert all(typesetter.width(piece, 10.0) <= 50.0 for piece in pieces)


@pytest.mark.parametrize(
    "text", ["one two three four five six seven eight", "Donaudampfschifffahrtsgesellschaft" * 3, "山" * 60, ""]
)
def test_wrapped_lines_fit_and_lose_nothing(typesetter: Typesetter, text: str) -> None:
    lines = typesetter.wrap(text, 9.0, 70.0)
    # Kerning across a space, which words measured alone do not see, is below a tenth of a point here.
    assert all(typesetter.width(line, 9.0) <= 70.1 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_fonts_are_embedded_and_text_can_be_searched(tmp_path: Path) -> None:
    document = Document((400, 400), "fonts")
    for row, name in enumerate(NAMES.values()):
        document.text(20, 30 + 30 * row, name, 12)
        document.text(220, 30 + 30 * row, name, 12, bold=True)
    path = tmp_path / "fonts.pdf"
    path.write_bytes(document.save())
    listed = subprocess.run(["pdffonts", path], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()[2:]]
    assert len(rows) >= 10
    for row in rows:
        assert row[-5:-2] == ["yes", "yes", "yes"], f"embedded, subset, unicode: {row}"
    assert listed.stderr == ""
    text = subprocess.run(["pdftotext", "-raw", path, "-"], capture_output=True, text=True, check=True)
    assert text.stderr == ""
    for script in ("Latin", "Greek", "Cyrillic", "Han and kana", "Hangul"):
        assert NAMES[script] in unicodedata.normalize("NFC", text.stdout)
    assert "כהן" in text.stdout


def test_same_drawings_same_bytes() -> None:
    def drawn() -> bytes:
        document = Document((200, 100), "twice")
        document.text(10, 20, "Ärztin Παπα", 11)
        document.new_sheet()
        document.rule(0, 0, 10, 10)
        return document.save()

    assert drawn() == drawn()


def test_text_wider_than_its_place_ends_in_an_ellipsis() -> None:
    document = Document((200, 100), "short")
    assert document.text(0, 10, "a very long site of disease", 10, max_width=60) <= 60
    assert document.text(0, 10, "short", 10, max_width=60) == document.type.width("short", 10)
    assert io.BytesIO(document.save()).read(5) == b"%PDF-"
