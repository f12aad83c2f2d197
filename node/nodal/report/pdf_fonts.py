"""Embedding: the glyphs that a document uses, as subset composite fonts (ISO 32000-1, 9.7) in a reportlab canvas."""

from __future__ import annotations

import hashlib
from typing import Any

import uharfbuzz as hb
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

from nodal.report.fonts import Face, Line, Run

__all__ = ["FontBook"]

_UNUSED_TABLES = (
    "GSUB",
    "GPOS",
    "GDEF",
    "BASE",
    "VORG",
    "vhea",
    "vmtx",
    "DSIG",
    "OS/2",
    "post",
    "cmap",
    "name",
    "MATH",
)
_SYMBOLIC = 4


class FontBook:
    """The fonts of one document.

    A glyph's code in the page is its glyph id (Identity-H). reportlab calls :meth:`addObjects` when it writes the
    file: then every face is cut down to the glyphs that were drawn. TrueType outlines become a CIDFontType2, CFF
    outlines a CIDFontType0.
    """

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        # A canvas starts with Helvetica, which would stand in the file without being embedded.
        canvas._preamble = "1 0 0 1 0 0 cm"
        canvas._doc.idToObject["BasicFonts"].dict.clear()
        self._faces: dict[Face, str] = {}
        self._texts: dict[Face, dict[int, str]] = {}
        canvas._doc.delayedFonts.append(self)

    def draw(self, line: Line, x: float, y: float, size: float) -> None:
        """Draws a line with its baseline starting at (x, y), in the canvas' fill colour; all in points."""
        for run in line.runs:
            self._canvas.drawText(_Code(self._operators(run, x, y, size)))
            x += sum(glyph.advance for glyph in run.glyphs) * size / 1000.0

    def _operators(self, run: Run, x: float, y: float, size: float) -> str:
        resource = self._faces.setdefault(run.face, f"N{len(self._faces) + 1}")
        texts = self._texts.setdefault(run.face, {})
        parts = [f"BT /{resource} {size:g} Tf 1 0 0 1 {x:.3f} {y:.3f} Tm"]
        array: list[str] = []
        rise = 0.0

        def flush() -> None:
            if array:
                parts.append(f"[{''.join(array)}] TJ")
                array.clear()

        for glyph in run.glyphs:
            texts[glyph.glyph_id] = texts.get(glyph.glyph_id) or glyph.text
            if glyph.dy != rise:
                flush()
                rise = glyph.dy
                parts.append(f"{rise * size / 1000.0:.3f} Ts")
            after = run.face.advance(glyph.glyph_id) - glyph.advance + glyph.dx
            array += [_shift(-glyph.dx), f"<{glyph.glyph_id:04X}>", _shift(after)]
        flush()
        if rise:
            parts.append("0 Ts")
        return " ".join([*parts, "ET"])

    def addObjects(self, doc: Any) -> None:  # noqa: N802, the name reportlab calls
        """Writes the fonts into the document; called once by reportlab."""
        for face, resource in self._faces.items():
            font = _composite_font(doc, face, self._texts[face])
            doc.idToObject["BasicFonts"].dict[resource] = doc.Reference(font, f"font:{resource}")


class _Code:
    """Finished page operators, in the shape that ``Canvas.drawText`` takes."""

    def __init__(self, operators: str) -> None:
        self._operators = operators

    def getCode(self) -> str:  # noqa: N802, the name reportlab calls
        return self._operators


def _shift(thousandths: float) -> str:
    return "" if abs(thousandths) < 0.05 else f"{thousandths:.1f}"


def _subset(face: Face, glyph_ids: set[int]) -> bytes:
    """The face with only these glyphs, ids kept: a TrueType file, or the bare CFF table."""
    wanted = hb.SubsetInput()
    wanted.glyph_set.update(glyph_ids)
    wanted.drop_table_tag_set.update(int.from_bytes(tag.encode(), "big") for tag in _UNUSED_TABLES)
    wanted.flags = hb.SubsetFlags.RETAIN_GIDS | hb.SubsetFlags.NO_LAYOUT_CLOSURE | hb.SubsetFlags.NO_HINTING
    subset = hb.subset(face.hb_face, wanted)
    return bytes(subset.reference_table("CFF ").data) if face.is_cff else bytes(subset.blob.data)


def _stream(doc: Any, name: str, content: bytes, **entries: Any) -> Any:
    stream = pdfdoc.PDFStream(content=content)
    stream.filters = [pdfdoc.PDFZCompress]
    for key, value in entries.items():
        stream.dictionary[key] = value
    return doc.Reference(stream, name)


def _composite_font(doc: Any, face: Face, texts: dict[int, str]) -> Any:
    glyph_ids = sorted(texts)
    tag = "".join(chr(65 + byte % 26) for byte in hashlib.sha256(f"{face.name}{glyph_ids}".encode()).digest()[:6])
    base, name = f"{tag}+{face.name}", pdfdoc.PDFName
    content = _subset(face, set(glyph_ids))
    file = (
        _stream(doc, f"file:{base}", content, Subtype=name("CIDFontType0C"))
        if face.is_cff
        else _stream(doc, f"file:{base}", content, Length1=len(content))
    )
    extents = face.hb_font.get_font_extents("ltr")
    descriptor = {
        "Type": name("FontDescriptor"),
        "FontName": name(base),
        "Flags": _SYMBOLIC,
        "FontBBox": pdfdoc.PDFArray(face.bounding_box),
        "ItalicAngle": 0,
        "Ascent": round(face.scaled(extents.ascender)),
        "Descent": round(face.scaled(extents.descender)),
        "CapHeight": 714,
        "StemV": 80,
        "FontFile3" if face.is_cff else "FontFile2": file,
    }
    system = pdfdoc.PDFDictionary(
        {"Registry": pdfdoc.PDFString("Adobe"), "Ordering": pdfdoc.PDFString("Identity"), "Supplement": 0}
    )
    widths = [part for gid in glyph_ids for part in (gid, pdfdoc.PDFArray([round(face.advance(gid), 2)]))]
    descendant = {
        "Type": name("Font"),
        "Subtype": name("CIDFontType0" if face.is_cff else "CIDFontType2"),
        "BaseFont": name(base),
        "CIDSystemInfo": system,
        "FontDescriptor": doc.Reference(pdfdoc.PDFDictionary(descriptor), f"descriptor:{base}"),
        "DW": 0,
        "W": pdfdoc.PDFArray(widths),
    }
    if not face.is_cff:
        descendant["CIDToGIDMap"] = name("Identity")
    return pdfdoc.PDFDictionary(
        {
            "Type": name("Font"),
            "Subtype": name("Type0"),
            "BaseFont": name(base),
            "Encoding": name("Identity-H"),
            "DescendantFonts": pdfdoc.PDFArray([doc.Reference(pdfdoc.PDFDictionary(descendant), f"cid:{base}")]),
            "ToUnicode": _stream(doc, f"unicode:{base}", _to_unicode(texts)),
        }
    )


def _to_unicode(texts: dict[int, str]) -> bytes:
    """The CMap that lets a reader search and copy (ISO 32000-1, 9.10.3)."""
    pairs = [f"<{gid:04X}> <{text.encode('utf-16-be').hex().upper()}>" for gid, text in sorted(texts.items()) if text]
    blocks = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
    body = "\n".join("\n".join([f"{len(block)} beginbfchar", *block, "endbfchar"]) for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        f"{body}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode("ascii")
