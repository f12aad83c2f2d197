"""Codes of LOINC, SNOMED CT, the NCI Thesaurus, ICD-10 and ICD-O-3 for the fields of the clinical record.

FHIR and HL7 v2 carry the same codes, so both sources read these tables. A code stands here only where its meaning was
seen in a published source: the mCODE implementation guide (STU4), published LOINC value sets, or PS3.16. What has no
such code is read from its words (:mod:`nodal.clinical.wording`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = [
    "ABSENT_OR_NO",
    "ECOG_ANSWERS",
    "FIELD_BY_LOINC",
    "FIELD_BY_SNOMED",
    "GENERIC_STAGE_GROUPS",
    "ICD_O_3",
    "LOINC",
    "LYMPHATIC",
    "LYMPHOMA_STAGING_SYSTEMS",
    "NCIT",
    "PRESENT_OR_YES",
    "SITE_BY_SNOMED",
    "SNOMED",
    "STAGE_BY_CODE",
    "V2_YES_NO",
    "is_lymphoma_code",
    "site_of_topography",
    "system_of",
]

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
ICD_O_3 = "http://terminology.hl7.org/CodeSystem/icd-o-3"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
V2_YES_NO = "http://terminology.hl7.org/CodeSystem/v2-0136"

_SYSTEM_BY_NAME: Mapping[str, str] = {
    "LN": LOINC,
    "LOINC": LOINC,
    "2.16.840.1.113883.6.1": LOINC,
    "SCT": SNOMED,
    "SNM": SNOMED,
    "SNOMED": SNOMED,
    "SNOMED-CT": SNOMED,
    "SNOMEDCT": SNOMED,
    "2.16.840.1.113883.6.96": SNOMED,
    "NCIT": NCIT,
    "NCI": NCIT,
    "2.16.840.1.113883.3.26.1.1": NCIT,
    "I10": ICD_10,
    "I10C": ICD_10,
    "ICD10": ICD_10,
    "ICDO3": ICD_O_3,
    "2.16.840.1.113883.6.43.1": ICD_O_3,
    "ICD-O-3": ICD_O_3,
    "HL70136": V2_YES_NO,
}
"""HL7 table 0396 (coding systems) and OIDs, for sources that do not name a system by its URL."""

FIELD_BY_LOINC: Mapping[str, str] = {
    "2532-0": "ldh_ratio",  # Lactate dehydrogenase [Enzymatic activity/volume] in Serum or Plasma
    "14804-9": "ldh_ratio",  # ... by Lactate to pyruvate reaction
    "14805-6": "ldh_ratio",  # ... by Pyruvate to lactate reaction
    "89247-1": "ecog",  # ECOG Performance Status score
    "21908-9": "stage",  # Stage group.clinical Cancer
    "21902-2": "stage",  # Stage group.pathology Cancer
    "21914-7": "stage",  # Stage group.other Cancer
    "29463-7": "weight_kg",  # Body weight
    "3141-9": "weight_kg",  # Body weight Measured
    "8302-2": "height_m",  # Body height
    "3137-7": "height_m",  # Body height Measured
}
"""14803-1 is LDH of body fluid and stands here on purpose not."""

GENERIC_STAGE_GROUPS = frozenset(("21908-9", "21902-2", "21914-7"))
"""LOINC stage groups of any cancer: Ann Arbor only where method or value says so."""

FIELD_BY_SNOMED: Mapping[str, str] = {
    "385388004": "stage",  # Lymphoma stage (observable entity)
    "254372002": "stage",  # Ann Arbor lymphoma staging system
    "254373007": "stage",  # Ann Arbor Hodgkin's disease staging system
    "254374001": "stage",  # Ann Arbor non-Hodgkin's lymphoma staging system
    "254375000": "stage",  # Cotswolds Hodgkin's disease staging system
    "260873006": "bulky",  # Bulky disease status (attribute)
}

LYMPHOMA_STAGING_SYSTEMS = frozenset(
    (
        *((SNOMED, code) for code in ("385388004", "254372002", "254373007", "254374001", "254375000")),
        *((NCIT, code) for code in ("C141138", "C177558", "C177559", "C141147", "C54179")),  # Ann Arbor, Lugano stage
        *((NCIT, code) for code in ("C141189", "C141158")),  # Lugano classification, adults
    )
)
"""A method, type or code among these makes a stage an Ann Arbor stage (Lugano keeps its four groups)."""

STAGE_BY_CODE: Mapping[tuple[str, str], str] = {
    (SNOMED, "258215001"): "I",  # Stage 1 (PS3.16 CID 3778); of which system, its context must say
    (SNOMED, "258219007"): "II",
    (SNOMED, "258224005"): "III",
    (SNOMED, "258228008"): "IV",
    (SNOMED, "5701003"): "lymphoma stage IIE",
    (SNOMED, "44255004"): "lymphoma stage IIIE",
    (NCIT, "C171157"): "Ann Arbor stage II bulky",
}
"""Values of a stage that have a verified code; any other code is read by its display."""

ECOG_ANSWERS: Mapping[tuple[str, str], int] = {
    **{(LOINC, code): score for score, code in enumerate(("LA9622-7", "LA9623-5", "LA9624-3", "LA9625-0", "LA9626-8"))},
    **{
        (SNOMED, code): score
        for score, code in enumerate(("425389002", "422512005", "422894000", "423053003", "423237006"))
    },
}
"""Grades 0 to 4; grade 5 (dead) is no baseline status and stays unusable."""

PRESENT_OR_YES = frozenset(((SNOMED, "52101004"), (SNOMED, "373066001"), (V2_YES_NO, "Y")))
ABSENT_OR_NO = frozenset(((SNOMED, "2667000"), (SNOMED, "373067005"), (V2_YES_NO, "N")))

_SNOMED_SITES: Mapping[str, str] = {
    "bone_marrow": "14016003",
    "bone": "272673000 51282000 54735007 113197003 56873002 71341001 85050009 12611008 22356005 79601000 51299004 "
    "89546000 91609006 70925003",
    "cns": "21483005 12738006 113305005 2748008 1231004",
    "liver": "10200004",
    "stomach": "69695003",
    "bowel": "30315005 14742008 71854001 34516001 38848004 34402009 21306003 32713005 66754008",
    "lung": "39607008 955009",
    "kidney": "64033007",
    "adrenal": "23451007",
    "skin": "39937001",
    "soft_tissue": "87784001 71616004 71966008",
    "breast": "76752008 80248007 73056007",
    "testis": "40689003",
    "thyroid": "69748006",
    "head_neck": "45206002 279549004 2095001 385294005 45289007 363654007 13561001 21974007 4596009 123851003",
    "pancreas": "15776009",
    "pleura": "3120008",
}
SITE_BY_SNOMED: Mapping[str, str] = {code: site for site, codes in _SNOMED_SITES.items() for code in codes.split()}
"""Body structures of PS3.16 -> the words for extranodal organs."""

LYMPHATIC = frozenset(("59441001", "78961009", "9875009", "75573002"))
"""Lymph node, spleen, thymus, palatine tonsil: lymphatic tissue, never extranodal."""

# ICD-O-3 topography. Ranges end with their last category; lymphatic places inside a range stand in _LYMPHATIC_PLACES.
_TOPOGRAPHY: tuple[tuple[str, str, str], ...] = (
    ("C00", "C14", "head_neck"),
    ("C16", "C16", "stomach"),
    ("C17", "C20", "bowel"),
    ("C22", "C22", "liver"),
    ("C25", "C25", "pancreas"),
    ("C30", "C32", "head_neck"),
    ("C34", "C34", "lung"),
    ("C40", "C41", "bone"),
    ("C44", "C44", "skin"),
    ("C47", "C47", "soft_tissue"),
    ("C49", "C49", "soft_tissue"),
    ("C50", "C50", "breast"),
    ("C62", "C62", "testis"),
    ("C64", "C64", "kidney"),
    ("C69", "C69", "head_neck"),
    ("C70", "C72", "cns"),
    ("C73", "C73", "thyroid"),
    ("C74", "C74", "adrenal"),
)
_EXACT_TOPOGRAPHY: Mapping[str, str] = {"C38.4": "pleura", "C42.1": "bone_marrow"}
_LYMPHATIC_PLACES = ("C02.4", "C09", "C11.1", "C14.2", "C37", "C42.2", "C77")
"""Lingual, palatine and pharyngeal tonsil, Waldeyer's ring, thymus, spleen, lymph nodes."""
_TOPOGRAPHY_FORM = re.compile(r"C\d{2}(\.\d)?")

# Morphology 959-972 are the lymphomas; ICD-10 C81-C86 and C88 (C87 is not in use, C90 on are not lymphomas).
_LYMPHOMA_MORPHOLOGY = re.compile(r"(959|96[0-9]|97[0-2])\d(/\d)?")
_LYMPHOMA_ICD_10 = re.compile(r"C(8[1-6]|88)(\.?\w+)?")
_LYMPHOMA_SNOMED = frozenset(("1163043007",))  # Lymphoma; its many descendants are known by their display


def system_of(name: str) -> str:
    """The URL of a coding system named by URL, OID or HL7 table 0396; unknown names come back as they are."""
    plain = name.strip().removeprefix("urn:oid:")
    if plain.startswith(ICD_10):
        return ICD_10
    return _SYSTEM_BY_NAME.get(plain.upper(), plain)


def is_lymphoma_code(system: str, code: str) -> bool:
    """Whether a diagnosis code is a lymphoma's; false means only that it is not known as one."""
    if system == SNOMED:
        return code in _LYMPHOMA_SNOMED
    if system == ICD_O_3:
        return bool(_LYMPHOMA_MORPHOLOGY.fullmatch(code))
    return "icd-10" in system.lower() and bool(_LYMPHOMA_ICD_10.fullmatch(code))


def site_of_topography(code: str) -> str | None:
    """The extranodal organ of an ICD-O-3 topography code; "" for lymphatic tissue, None where there is no word."""
    code = code.strip().upper()
    if not _TOPOGRAPHY_FORM.fullmatch(code):
        return None
    if code.startswith(_LYMPHATIC_PLACES):
        return ""
    if code in _EXACT_TOPOGRAPHY:
        return _EXACT_TOPOGRAPHY[code]
    return next((site for first, last, site in _TOPOGRAPHY if first <= code[:3] <= last), None)
