"""Faces and shaping: text in any script becomes positioned glyphs, or readable code points, never empty boxes.

Bidirectional order by python-bidi (UAX #9), shaping by HarfBuzz. The faces are the Noto fonts of the system; where
they are missing, Bitstream Vera (shipped with reportlab) draws Latin and the rest is shown as code points.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import reportlab
import structlog
import uharfbuzz as hb
from bidi import algorithm as uax9
from fontTools import unicodedata as scripts

__all__ = ["SYSTEM_FOLDERS", "Face", "Glyph", "HanStyle", "Line", "Run", "Shelf", "Typesetter"]

SYSTEM_FOLDERS = tuple(
    root / kind / "noto"
    for root in (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
    for kind in ("truetype", "opentype")
)
_VERA = Path(reportlab.__file__).parent / "fonts"

HanStyle = Literal["JP", "KR", "SC", "TC"]
_CJK_SCRIPTS = frozenset({"Hani", "Hira", "Kana", "Hang", "Bopo"})
_CJK_INDEX: dict[HanStyle, int] = {"JP": 0, "KR": 1, "SC": 2, "TC": 3}
_NO_SCRIPT = frozenset({"Zyyy", "Zinh", "Zzzz"})
_INVISIBLE = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xE0100, 0xE01EF),
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class Face:
    """One face of one font file. Widths and positions are in thousandths of the em, as PDF counts them."""

    path: Path
    index: int = 0

    @cached_property
    def hb_face(self) -> Any:
        """HarfBuzz' face."""
        return hb.Face(hb.Blob.from_file_path(str(self.path)), self.index)

    @cached_property
    def hb_font(self) -> Any:
        """HarfBuzz' font, at one unit per font unit."""
        return hb.Font(self.hb_face)

    @cached_property
    def name(self) -> str:
        """PostScript name (name table, id 6), in the characters a PDF name takes unescaped."""
        name = self.hb_face.get_name(6) or self.path.stem
        return "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter == "-"))

    @cached_property
    def is_cff(self) -> bool:
        """Whether the outlines are CFF (PostScript) rather than TrueType."""
        return "CFF " in self.hb_face.table_tags

    @cached_property
    def bounding_box(self) -> tuple[int, ...]:
        """xMin, yMin, xMax, yMax of all glyphs (head table)."""
        return tuple(round(self.scaled(v)) for v in struct.unpack(">4h", self._table("head")[36:44]))

    def _table(self, tag: str) -> bytes:
        return bytes(self.hb_face.reference_table(tag).data)

    def scaled(self, units: float) -> float:
        """Font units to thousandths of the em."""
        return units * 1000.0 / float(self.hb_face.upem)

    def has(self, character: str) -> bool:
        """Whether the face draws this character."""
        return bool(self.hb_font.get_nominal_glyph(ord(character)))

    def advance(self, glyph_id: int) -> float:
        """Width of a glyph as the font file states it."""
        return self.scaled(self.hb_font.get_glyph_h_advance(glyph_id))


class Glyph(NamedTuple):
    """One glyph; ``text`` is what it stands for (empty on the later glyphs of a cluster). Thousandths of the em."""

    glyph_id: int
    text: str
    advance: float
    dx: float
    dy: float


@dataclass(frozen=True, eq=False)
class Run:
    """Glyphs of one face, from left to right."""

    face: Face
    glyphs: tuple[Glyph, ...]


@dataclass(frozen=True, eq=False)
class Line:
    """A shaped line, runs from left to right. ``text`` is what is shown, code points in place of missing glyphs."""

    text: str
    runs: tuple[Run, ...]

    @cached_property
    def width_em(self) -> float:
        """Width in em; times the font size gives points."""
        return sum(glyph.advance for run in self.runs for glyph in run.glyphs) / 1000.0


class Shelf:
    """The faces at hand in a folder tree of Noto fonts."""

    def __init__(self, folders: Sequence[Path] = SYSTEM_FOLDERS) -> None:
        self._folders = folders
        self._faces: dict[tuple[str, int], Face | None] = {}
        if self._find("NotoSans-Regular.ttf") is None:
            _log.warning("noto_fonts_missing", effect="names beyond Latin are shown as code points")

    def _find(self, file_name: str, index: int = 0) -> Face | None:
        key = (file_name, index)
        if key not in self._faces:
            paths = (folder / file_name for folder in (*self._folders, _VERA))
            path = next((path for path in paths if path.is_file()), None)
            self._faces[key] = Face(path, index) if path else None
        return self._faces[key]

    def candidates(self, script: str, bold: bool, han: HanStyle) -> Iterator[Face]:
        """Faces that may draw a script (ISO 15924), the best first."""
        files: list[tuple[str, int]] = [("NotoSans", 0)]
        if script in _CJK_SCRIPTS:
            style = {"Hira": "JP", "Kana": "JP", "Hang": "KR"}.get(script, han)
            files.insert(0, ("NotoSansCJK", _CJK_INDEX[style]))  # type: ignore[index]
        elif script not in _NO_SCRIPT:
            name = scripts.script_name(script).replace("_", "").replace(" ", "")
            files += [(f"NotoSans{name}", 0), (f"NotoSerif{name}", 0)]
        files += [("NotoSansSymbols", 0), ("NotoSansSymbols2", 0), ("NotoSansMath", 0)]
        files += [("NotoSansCJK", _CJK_INDEX[han])]
        for stem, index in files:
            suffix = "ttc" if stem.endswith("CJK") else "ttf"
            for weight in ("Bold", "Regular") if bold else ("Regular",):
                face = self._find(f"{stem}-{weight}.{suffix}", index)
                if face is not None:
                    yield face
                    break
        vera = self._find("VeraBd.ttf" if bold else "Vera.ttf")
        if vera is not None:
            yield vera


@dataclass(frozen=True)
class _Letter:
    character: str
    face: Face
    script: str


class Typesetter:
    """Shapes lines. One for each document: it keeps what it has shaped.

    Args:
        shelf: the faces.
        han: the regional forms of Chinese characters where the text itself does not tell.
    """

    def __init__(self, shelf: Shelf | None = None, han: HanStyle = "JP") -> None:
        self._shelf = shelf or Shelf()
        self._han: HanStyle = han
        self._lines: dict[tuple[str, bool], Line] = {}

    def line(self, text: str, bold: bool = False) -> Line:
        """One line of text, shaped; line breaks and tabs count as spaces."""
        key = (text, bold)
        if key not in self._lines:
            self._lines[key] = self._shape(text, bold)
        return self._lines[key]

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """Width in points at a font size in points."""
        return self.line(text, bold).width_em * size

    def wrap(self, text: str, size: float, width: float, bold: bool = False) -> list[str]:
        """Breaks text into lines no wider than ``width`` points: at spaces, inside a word only when it must."""
        lines: list[str] = []
        current, used = "", 0.0
        space = self.width(" ", size, bold)
        for word in text.split():
            own = self.width(word, size, bold)
            if current and used + space + own <= width:
                current, used = f"{current} {word}", used + space + own
                continue
            if current:
                lines.append(current)
            *full, current = self._pieces(word, size, width, bold) if own > width else [word]
            lines += full
            used = own if not full else self.width(current, size, bold)
        return [*lines, current] if current or not lines else lines

    def _pieces(self, word: str, size: float, width: float, bold: bool) -> list[str]:
        """A word cut where it must be: before a letter, never before a mark that belongs to the letter before."""
        pieces = [""]
        for character in word:
            trial = pieces[-1] + character
            if pieces[-1] and not unicodedata.combining(character) and self.width(trial, size, bold) > width:
                pieces.append(character)
            else:
                pieces[-1] = trial
        return pieces

    def _shape(self, text: str, bold: bool) -> Line:
        if text.isascii() and text.isprintable():
            basic = next(self._shelf.candidates("Latn", bold, self._han))
            return Line(text, (Run(basic, tuple(_glyphs(basic, text, "Latn", False))),) if text else ())
        letters = self._letters(text, bold)
        runs = [
            Run(
                letters[start].face,
                tuple(_glyphs(letters[start].face, _text(letters[start:end]), letters[start].script, rtl)),
            )
            for (start, end), rtl in _visual_runs(letters)
        ]
        return Line(_text(letters), tuple(runs))

    def _letters(self, text: str, bold: bool) -> list[_Letter]:
        """Each character with its face; one without any face becomes its code point, as U+0041."""
        letters: list[_Letter] = []
        script = "Latn"
        for character in unicodedata.normalize("NFC", text):
            shown = " " if character.isspace() else character
            own = scripts.script(shown)
            script = script if own in _NO_SCRIPT else own
            if letters and _invisible(shown):
                letters.append(_Letter(shown, letters[-1].face, letters[-1].script))
                continue
            face = self._face(shown, own, script, bold, letters[-1].face if letters else None)
            if face is not None:
                letters.append(_Letter(shown, face, script))
            else:
                basic = next(self._shelf.candidates("Latn", bold, self._han))
                letters += [_Letter(sign, basic, "Latn") for sign in f"U+{ord(character):04X}"]
        return letters

    def _face(self, character: str, own: str, script: str, bold: bool, before: Face | None) -> Face | None:
        # Spaces and points stay in the face around them, so that a line is not cut into needless runs.
        if own in _NO_SCRIPT and before is not None and before.has(character):
            return before
        if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn"):
            return None
        return next((f for f in self._shelf.candidates(script, bold, self._han) if f.has(character)), None)


def _invisible(character: str) -> bool:
    """Joiners, direction marks and variation selectors: they act on shaping and have no glyph of their own."""
    return any(first <= ord(character) <= last for first, last in _INVISIBLE)


def _visual_runs(letters: Sequence[_Letter]) -> list[tuple[tuple[int, int], bool]]:
    """Slices of ``letters`` of one direction, face and script, from left to right, with "is right-to-left"."""
    text = _text(letters)
    storage = uax9.get_empty_storage()
    level = uax9.get_base_level(text)
    storage["base_level"], storage["base_dir"] = level, "LR"[level]
    uax9.get_embedding_levels(text, storage)
    for index, entry in enumerate(storage["chars"]):
        entry["index"] = index
    uax9.explicit_embed_and_overrides(storage)
    for rule in (uax9.resolve_weak_types, uax9.resolve_neutral_types, uax9.resolve_implicit_levels):
        rule(storage, False)
    uax9.reorder_resolved_levels(storage, False)
    order = [(entry["index"], entry["level"]) for entry in storage["chars"]]
    runs: list[tuple[tuple[int, int], bool]] = []
    start = 0
    for end in range(1, len(order) + 1):
        if end < len(order) and _joined(letters, order[end - 1], order[end]):
            continue
        indices = [index for index, _ in order[start:end]]
        runs.append(((min(indices), max(indices) + 1), bool(order[start][1] % 2)))
        start = end
    return runs


def _joined(letters: Sequence[_Letter], left: tuple[int, int], right: tuple[int, int]) -> bool:
    """Whether two neighbours on the line are shaped together."""
    first, second = sorted((left[0], right[0]))
    # What stands between them was invisible and taken out by rule X9; it goes back to the shaper with the slice.
    between_invisible = all(_invisible(letter.character) for letter in letters[first + 1 : second])
    same = letters[first].face is letters[second].face and letters[first].script == letters[second].script
    return left[1] == right[1] and same and between_invisible


def _text(letters: Sequence[_Letter]) -> str:
    return "".join(letter.character for letter in letters)


def _glyphs(face: Face, text: str, script: str, rtl: bool) -> Iterator[Glyph]:
    buffer = hb.Buffer()
    buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_CHARACTERS
    buffer.add_str(text)
    buffer.direction = "rtl" if rtl else "ltr"
    buffer.script = script
    hb.shape(face.hb_font, buffer, {})
    starts = sorted({info.cluster for info in buffer.glyph_infos})
    ends = dict(zip(starts, [*starts[1:], len(text)], strict=True))
    seen: set[int] = set()
    for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        own = "" if info.cluster in seen else text[info.cluster : ends[info.cluster]]
        seen.add(info.cluster)
        yield Glyph(
            info.codepoint,
            own,
            face.scaled(position.x_advance),
            face.scaled(position.x_offset),
            face.scaled(position.y_offset),
        )
