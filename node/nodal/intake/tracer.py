"""Which tracer a PET was made with.

FDG must be named: by a code of the radiopharmaceutical, or by its name. Fluorine-18 alone proves nothing (PSMA,
DOPA, fluoride and many others carry it), so a header that names no tracer is refused. A header that names two
different ones is refused too: consoles fill in FDG by default, and the name typed beside it is then the truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom import Dataset

from nodal.errors import Code
from nodal.intake.words import described, plain

__all__ = ["not_fdg"]

# Radiopharmaceutical Code Sequence, CID 4021: SNOMED CT, its older SNOMED-RT forms, and GE's private 99SDM.
FDG_CODES = frozenset({("SCT", "35321007"), ("SRT", "C-B1031"), ("SNM3", "C-B1031"), ("99SDM", "Y-X1743")})
# Radionuclide Code Sequence, CID 4020.
F18_CODES = frozenset({("SCT", "77004003"), ("SRT", "C-111A1"), ("SNM3", "C-111A1"), ("99SDM", "C-111A1")})

# Searched in text made plain; unambiguous even in a description.
_FDG_NAME = re.compile(r"fdg|flu\w* ?(?:2 )?d\w*oxy ?(?:d )?glu[ck]os")
_OTHER_TRACER = (
    r"\w*psma\w*|piflufolastat|pylarify|\w*dotata[te]\w*|dotatoc|dotanoc|edotreotide|\w*choline?|fluciclovine|axumin|"
    r"f ?dopa|fluoro?dopa|florbeta\w*|flutemetamol|flortaucipir|sodium fluoride|natriumfluorid|fluorure de sodium|"
    r"\w*fapi\w*|\w*pentixafor|fluoroethyl\w*|fluorothymidine|fmiso|fluoroestradiol|flurpiridaz|"
    r"rb ?82|rubidium|ga ?68|68 ?ga|cu ?64|64 ?cu|zr ?89|89 ?zr"
)
# Short names that mean a tracer only where a tracer is named.
_OTHER_SHORT = r"naf|fet|flt|fes|pib|methionine?|acetate?|ammonia|nh3|gallium|i ?124|c ?11|11 ?c"
_OTHER_NAME = re.compile(rf"\b(?:{_OTHER_TRACER}|{_OTHER_SHORT})\b")
_OTHER_DESCRIBED = re.compile(rf"\b(?:{_OTHER_TRACER})\b")
HALF_LIFE_S = (6500.0, 6700.0)  # fluorine-18 in every convention met: 6584 to 6588 s (science: 1.3)


def _codes(item: Dataset, keyword: str) -> Iterator[tuple[str, str, str]]:
    for code in item.get(keyword) or ():
        value = code.get("CodeValue") or code.get("LongCodeValue") or ""
        yield str(code.get("CodingSchemeDesignator") or ""), str(value), str(code.get("CodeMeaning") or "")


def _names(item: Dataset) -> str:
    meanings = [meaning for _, _, meaning in _codes(item, "RadiopharmaceuticalCodeSequence")]
    return "|".join(plain(str(text)) for text in (item.get("Radiopharmaceutical") or "", *meanings))


def _nuclide_fault(item: Dataset) -> str | None:
    half_life = item.get("RadionuclideHalfLife")
    if half_life and not HALF_LIFE_S[0] <= float(half_life) <= HALF_LIFE_S[1]:
        return f"the half-life is {float(half_life):g} s, not that of fluorine-18 (6500 to 6700 s)"
    for scheme, value, meaning in _codes(item, "RadionuclideCodeSequence"):
        if (scheme, value) not in F18_CODES and not re.search(r"\b(?:f ?18|18 ?f|18 fluorine)\b|fluor", plain(meaning)):
            return f"the radionuclide is {meaning or value}, not fluorine-18"
    return None


def not_fdg(header: Dataset) -> tuple[Code, str] | None:
    """Why a PET header does not stand for an FDG scan, as a code and a sentence; None when it does.

    Read are the Radiopharmaceutical Information Sequence (0054,0016) (PS3.3 C.8.9.2) and, against a tracer left at
    the console's default, the descriptions of study, series and protocol. A missing half-life is no fault here: it is
    refused where the conversion to SUV needs it.
    """
    items = header.get("RadiopharmaceuticalInformationSequence") or ()
    if len(items) > 1:
        return Code.SUV_SEVERAL_TRACERS, f"the header names {len(items)} radiopharmaceuticals; one dose cannot be told"
    item = items[0] if items else Dataset()
    fault = _nuclide_fault(item)
    if fault is not None:
        return Code.NOT_FDG, fault
    names = _names(item)
    coded = any((scheme, value) in FDG_CODES for scheme, value, _ in _codes(item, "RadiopharmaceuticalCodeSequence"))
    named = _FDG_NAME.search(names) is not None
    other = _OTHER_NAME.search(names)
    if other is not None:
        return Code.NOT_FDG, f"the header names {other.group().strip()!r} as its tracer"
    if not coded and not named:
        return Code.NOT_FDG, "the header does not name its tracer; fluorine-18 alone is no proof of FDG"
    texts = described(header, "StudyDescription", "SeriesDescription", "ProtocolName")
    elsewhere = _OTHER_DESCRIBED.search(texts)
    if elsewhere is not None and not _FDG_NAME.search(texts):
        return Code.NOT_FDG, f"the header names FDG, but a description names {elsewhere.group().strip()!r}"
    return None
