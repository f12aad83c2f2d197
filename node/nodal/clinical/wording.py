"""What stands in words in a laboratory's or a clinic's text, as values; what is not plain is None, never a guess."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AnnArbor",
    "ann_arbor",
    "cell_of_origin",
    "ecog_grade",
    "extranodal_sites",
    "field_named",
    "names_a_lymphoma",
    "names_another_staging",
    "number",
    "number_with_unit",
    "same_unit",
    "staging_is_ann_arbor",
    "upper_limit",
    "yes_or_no",
]

_I = re.IGNORECASE

# ----- names of an observation

_NOT_SERUM = re.compile(r"iso-?enzyme|fluid|\bcsf\b|spinal|urine|ascit|pleural|liquor|\b(LDH|LD)[ -]?[1-5]\b", _I)
_FIELD_NAMES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bLDH\b|lact(ate|ic)( acid)? dehydrogenase|^LD$", _I), "ldh_ratio"),
    (re.compile(r"\bECOG\b|WHO performance status", _I), "ecog"),
    (re.compile(r"ann[ -]?arbor|lugano (stage|classification)|lymphoma stage", _I), "stage"),
    (re.compile(r"\bB[ -]?symptom", _I), "b_symptoms"),
    (re.compile(r"\bbulk(y)?\b", _I), "bulky"),
    (re.compile(r"cell[ -]of[ -]origin|\bHans\b.*(classif|algorithm)", _I), "cell_of_origin"),
    (re.compile(r"extra-? ?(nodal|lymphatic)", _I), "extranodal_sites"),
    (re.compile(r"^(body )?weight$", _I), "weight_kg"),
    (re.compile(r"^(body )?height$", _I), "height_m"),
)


def field_named(name: str) -> str | None:
    """The field of the record that an observation's name means; LDH of other fluids and isoenzymes are none."""
    found = next((field for form, field in _FIELD_NAMES if form.search(name.strip())), None)
    return None if found == "ldh_ratio" and _NOT_SERUM.search(name) else found


# ----- numbers, units, limits

_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_UNIT = r"((?:[a-zµμ%]|\[[a-z_]+\])[\w/.\[\]*^]*)?"
_NUMBER_WITH_UNIT = re.compile(rf"(<=|>=|<|>|≤|≥)?\s*({_NUMBER})\s*{_UNIT}", _I)
_RANGE = re.compile(rf"({_NUMBER})\s*(?:-|–|—|to|\.\.)\s*({_NUMBER})\s*{_UNIT}", _I)
_BELOW = re.compile(rf"(?:<=?|≤|up to)\s*({_NUMBER})\s*{_UNIT}", _I)

_SAME_UNITS: Mapping[str, str] = {
    "iu/l": "u/l",
    "[iu]/l": "u/l",
    "[u]/l": "u/l",
    "units/l": "u/l",
    "ui/l": "u/l",
    "e/l": "u/l",
    "µkat/l": "ukat/l",
    "μkat/l": "ukat/l",
    "mckat/l": "ukat/l",
}
"""Spellings of one unit (the micro sign, the Greek letter, UCUM's u). An international unit is a unit here."""


def number(text: str) -> float | None:
    """A plain finite number; a decimal comma or thousands separator is not plain."""
    text = text.strip()
    if not re.fullmatch(_NUMBER, text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def number_with_unit(text: str) -> tuple[float, str, str] | None:
    """Value, unit and comparator of a text such as "480 U/L" or "<0.5"."""
    found = _NUMBER_WITH_UNIT.fullmatch(text.strip())
    if not found:
        return None
    value = number(found[2])
    return None if value is None else (value, (found[3] or "").strip(), found[1] or "")


def upper_limit(text: str) -> tuple[float, str] | None:
    """The upper end and its unit of a reference range such as "135-225", "135 - 225 U/L" or "<250"."""
    for form, group in ((_RANGE, 2), (_BELOW, 1)):
        if found := form.fullmatch(text.strip()):
            high = number(found[group])
            low = number(found[1]) if group == 2 else 0.0
            if high is not None and low is not None and low < high:
                return high, (found[group + 1] or "").strip()
    return None


def same_unit(one: str, other: str) -> bool:
    """Whether two units are one; a unit that is not told contradicts none."""
    plain = [re.sub(r"\s", "", unit).lower() for unit in (one, other)]
    return "" in plain or len({_SAME_UNITS.get(unit, unit) for unit in plain}) == 1


# ----- Ann Arbor

_STAGES: Mapping[str, Literal[1, 2, 3, 4]] = {"I": 1, "II": 2, "III": 3, "IV": 4, "1": 1, "2": 2, "3": 3, "4": 4}
_STAGE = re.compile(r"(?<![A-Z0-9.])(IV|I{1,3}|[1-4])((?:[ ,/_-]*\(?[ABESX](?![A-Z])\)?|[ABESX])*)(?![A-Z0-9.])", _I)
_SYSTEM_WORDS = re.compile(
    r"modified|ann[ -]?arbor|lugano|cotswolds?|classification|lymphoma|stage|staging|stadium|group|finding|tumou?r|"
    r"clinical|pathologic(al)?|(non[ -]?)?bulky( disease)?|disease|with(out)?|no\b|(non-?)?hodgkin'?s?|"
    r"B[ -]symptoms?",
    _I,
)
_OTHER_SYSTEMS = re.compile(r"\b(T[0-4][a-d]? ?N\d|AJCC|UICC|FIGO|TNM|Rai|Binet|ISS|R-ISS|Masaoka|Murphy)\b", _I)
_ANN_ARBOR = re.compile(r"ann[ -]?arbor|lugano|cotswold|lymphoma", _I)


@dataclass(frozen=True)
class AnnArbor:
    """A stage in words. ``b_symptoms``: suffix A or B; ``bulky``: suffix X or the word; None where it does not say."""

    stage: Literal[1, 2, 3, 4]
    b_symptoms: bool | None = None
    bulky: bool | None = None


def staging_is_ann_arbor(text: str) -> bool:
    """Whether the words name Ann Arbor, one of its revisions, or a lymphoma, and no other system."""
    return bool(_ANN_ARBOR.search(text)) and not _OTHER_SYSTEMS.search(text)


def names_another_staging(text: str) -> bool:
    """Whether the words name TNM, AJCC, FIGO, Rai, Binet, ISS or the like."""
    return bool(_OTHER_SYSTEMS.search(text))


def ann_arbor(text: str) -> AnnArbor | None:
    """Ann Arbor stage of "IIIB", "IV A", "Ann Arbor stage IIE", "Stage II bulky", "4B"; Cotswolds' suffixes too.

    None for a range or two different stages, for another system's words, and for sentences that say more than a stage.
    """
    if _OTHER_SYSTEMS.search(text):
        return None
    text = text.replace("_", " ")
    found = list(_STAGE.finditer(text))
    rest = _SYSTEM_WORDS.sub(" ", _STAGE.sub(" ", text))
    if len(found) != 1 or re.search(r"\w", rest):
        return None
    letters = set(re.sub(r"[^A-Z]", "", found[0][2].upper()))
    symptoms = None if letters >= {"A", "B"} else "B" in letters or (False if "A" in letters else None)
    if symptoms is None and (said := re.search(r"(with(?:out)?|no) B[ -]symptoms?", text, _I)):
        symptoms = said[1].lower() == "with"
    not_bulky = re.search(r"\b(no|without|non)[ -]?bulk", text, _I)
    bulky = False if not_bulky else True if "X" in letters or re.search(r"\bbulky\b", text, _I) else None
    return AnnArbor(_STAGES[found[0][1].upper()], symptoms, bulky)


# ----- other findings

_ECOG = re.compile(
    r"(?:ECOG|WHO)?[ -]*(?:performance status|PS|grade|score|stadium)?[ :=-]*([0-4])(?:\s*[:(–-]\s*[A-Z].*)?", _I
)
_NON_GCB = re.compile(r"non[ -]?(GCB|germinal)|\bABC\b|activated[ -]B|post[ -]?germinal", _I)
_GCB = re.compile(r"\bGCB\b|germinal[ -]?cent(er|re)", _I)
_YES = frozenset(("yes", "y", "true", "present", "positive", "pos", "1", "ja", "oui"))
_NO = frozenset(("no", "n", "false", "absent", "negative", "neg", "none", "0", "nein", "non"))
_LYMPHOMA = re.compile(r"lymphom|hodgkin|\bDLBCL\b|\bNHL\b", _I)
_NOT_LYMPHOMA = re.compile(r"\b(no|not|without|exclude[ds]?|history of)\b", _I)


def ecog_grade(text: str) -> int | None:
    """0 to 4 of "1", "ECOG 1", "ECOG Grade 1: symptomatic"; None for a range, for 5, and for anything else."""
    found = _ECOG.fullmatch(text.strip())
    return int(found[1]) if found else None


def cell_of_origin(text: str) -> Literal["GCB", "non-GCB"] | None:
    """Of the Hans algorithm's words; the activated type of expression profiles is non-GCB."""
    if _NON_GCB.search(text):
        return (
            None if _GCB.search(_NON_GCB.sub("", re.sub(r"germinal[ -]?cent(er|re)", "germinal", text))) else "non-GCB"
        )
    return "GCB" if _GCB.search(text) else None


def yes_or_no(text: str) -> bool | None:
    """Yes, present, positive and the like; None for anything else."""
    word = text.strip().lower()
    return True if word in _YES else False if word in _NO else None


def names_a_lymphoma(text: str) -> bool:
    """Whether a diagnosis in words is a lymphoma."""
    return bool(_LYMPHOMA.search(text)) and not _NOT_LYMPHOMA.search(text)


_SITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"\b(?:{words})\b", _I), site)
    for words, site in (
        (r"bone[ -]marrow|marrow|BM", "bone_marrow"),
        (r"bones?|skeleton|vertebra[el]?|ribs?|femur|pelvic bone", "bone"),
        (r"cns|central nervous system|brain|mening(es|eal)|spinal cord|leptomening\w+", "cns"),
        (r"liver|hepatic", "liver"),
        (r"stomach|gastric", "stomach"),
        (r"bowels?|intestin\w+|colon|caecum|cecum|ileum|jejunum|duodenum|rectum|appendix", "bowel"),
        (r"lungs?|pulmonary|bronch\w+", "lung"),
        (r"kidneys?|renal", "kidney"),
        (r"adrenals?|adrenal glands?", "adrenal"),
        (r"skin|cutaneous", "skin"),
        (r"soft tissues?|muscles?|subcutaneous( tissue)?", "soft_tissue"),
        (r"breasts?|mammary", "breast"),
        (r"testis|testes|testic\w+", "testis"),
        (r"thyroid", "thyroid"),
        (
            r"head[ -](and[ -])?neck|orbits?|orbital|parotids?|salivary|sinonasal|nasal|paranasal \w+|tongue",
            "head_neck",
        ),
        (r"pancreas|pancreatic", "pancreas"),
        (r"pleura|pleural(?! effusion)", "pleura"),
    )
)
_NODAL = re.compile(r"lymph[ -]?nod|nodal|spleen|splenic|tonsil|waldeyer|thym(us|ic)|adenoid", _I)
_UNCLEAR = re.compile(r"\b(no|not|without|negative|possible|suspected|\?)\b|\?", _I)
_NONE = frozenset(
    ("none", "no", "nil", "0", "no extranodal sites", "no extranodal involvement", "no extranodal disease")
)


def extranodal_sites(text: str) -> tuple[str, ...] | None:
    """The words for extranodal organs in a list such as "lung; bone marrow"; lymphatic tissue is left out.

    Returns: empty for "none"; None where a part is not understood, is doubted or denied: half a list would be a
    wrong number of sites.
    """
    if text.strip().lower() in _NONE:
        return ()
    found: set[str] = set()
    joined = re.sub(r"head[ -]+and[ -]+neck", "head neck", text.replace("_", " "), flags=_I)
    parts = [part.strip() for part in re.split(r"[;,/+&\n\r]|\band\b", joined, flags=_I)]
    for part in filter(None, parts):
        if _UNCLEAR.search(part):
            return None
        sites = {site for form, site in _SITES if form.search(part)}
        if "bone_marrow" in sites:
            sites.discard("bone")
        if len(sites) > 1 or (not sites and not _NODAL.search(part)):
            return None
        found |= set() if _NODAL.search(part) else sites
    return tuple(sorted(found)) if any(parts) else None
