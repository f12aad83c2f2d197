"""Codes of indices, predicted survival and nomograms in the structured report.

No public code was found for any of them in the dictionaries of DICOM, SNOMED CT, LOINC and NCIt that come with pydicom;
but SNOMED CT grades risk (CID 3118) and DICOM ranks by percentile, and these are used. A private code is built by a
rule, so that its name says all that a reader needs who sees the number alone: whose it is, of which endpoint, at which
time, and whether the model was trained on simulated patients. The code's value has no system in it; code values with
``SIM_`` are of simulation-trained systems, so that no query takes the one for the other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from pydicom.sr.coding import Code

from nodal.report.codes import PRIVATE_SCHEME
from nodal.report.index_words import ENDPOINTS, INDEX_TITLES, endpoint_at

__all__ = [
    "CLASSIFICATION",
    "CONFLICT",
    "COVARIATE",
    "COVARIATE_VALUE",
    "COX_REGRESSION",
    "DISAGREEMENT",
    "ENDPOINT",
    "EVIDENCE_LEVEL",
    "HORIZON",
    "IMPI_LEAST",
    "IMPI_MOST",
    "IMPI_PREDICTOR",
    "INTERVAL_HIGH",
    "INTERVAL_LOW",
    "INTERVAL_NOTE",
    "LIKENESS",
    "LIMITS",
    "MISSING_FACTORS",
    "OUTSIDE_AXIS",
    "PERCENTILE",
    "POPULATION",
    "POSSIBLE_GROUP",
    "RISK_GROUP",
    "SCORE_NAME",
    "SHOWN_SIMULATED_CODE",
    "SIMULATION_TRAINED_CODE",
    "SOURCE",
    "SUGGESTION",
    "SUMMARY",
    "SYSTEM",
    "TRAINED_ON",
    "UNIT_MONTH",
    "UNIT_PERCENT",
    "UNIT_POINTS",
    "UNUSABLE",
    "endpoint_code",
    "evidence_code",
    "group_code",
    "index_code",
    "points_codes",
    "published_code",
    "system_code",
    "system_itself",
]

_MEANING_CHARACTERS = 64
_VALUE_CHARACTERS = 16
# Enough to tell apart the few long names that one hospital has.
_DIGEST_CHARACTERS = 6

# Public codes
PERCENTILE = Code("121415", "DCM", "Percentile Ranking of measurement")
UNIT_PERCENT = Code("%", "UCUM", "Percent")
UNIT_MONTH = Code("mo", "UCUM", "month")
UNIT_POINTS = Code("{points}", "UCUM", "points")

# Risk groups by the names that the indices and models use, where CID 3118 has them
_GROUPS: Mapping[str, Code] = {
    "low": Code("75976002", "SCT", "Low risk"),
    "low-intermediate": Code("429551001", "SCT", "Low to moderate risk"),
    "intermediate": Code("25594002", "SCT", "Moderate risk"),
    "high-intermediate": Code("429557002", "SCT", "Moderate to high risk"),
    "high": Code("15508007", "SCT", "High risk"),
}


def _private(value: str, meaning: str) -> Code:
    """A private code.

    Raises:
        ValueError: longer than a code may be (PS3.3 8.8: SH and LO).
    """
    if len(value) > _VALUE_CHARACTERS or len(meaning) > _MEANING_CHARACTERS:
        raise ValueError(f"a code must not be as long as {value}, {meaning}")
    return Code(value, PRIVATE_SCHEME, meaning)


# What stands beside a number
ENDPOINT = _private("ENDPOINT", "Endpoint")
HORIZON = _private("HORIZON", "Time horizon")
INTERVAL_LOW = _private("CI95LOW", "95 % interval of the estimate, lower end")
INTERVAL_HIGH = _private("CI95HIGH", "95 % interval of the estimate, upper end")
SOURCE = _private("SOURCE", "Published in")
LIMITS = _private("LIMITS", "Limits of use")
SIMULATION_TRAINED_CODE = _private("SIMTRAINED", "Simulation-trained, not for clinical use")
SHOWN_SIMULATED_CODE = _private("SIMSHOWN", "Simulation-trained survival shown by setting")
POPULATION = _private("POPULATION", "Among")
COVARIATE = _private("COVARIATE", "Covariate")
COVARIATE_VALUE = _private("COVARIATEVALUE", "Value on the axis")
SCORE_NAME = _private("SCORENAME", "Name of the score")
SYSTEM = _private("SYSTEM", "Prognosis system")

# Codes and sentences of a group
SUMMARY = _private("SUMMARY", "In words")
RISK_GROUP = _private("RISKGROUP", "Risk group")
POSSIBLE_GROUP = _private("POSSIBLEGROUP", "Possible risk group")
MISSING_FACTORS = _private("MISSING", "Not known")
EVIDENCE_LEVEL = _private("EVIDENCE", "Evidence level")
TRAINED_ON = _private("TRAINEDON", "Trained on")
LIKENESS = _private("INRANGE", "Like the patients it was trained on")
CLASSIFICATION = _private("CLASS", "Classification")
OUTSIDE_AXIS = _private("OUTSIDEAXIS", "Beyond the end of its axis")
INTERVAL_NOTE = _private("INTERVALNOTE", "Meaning of the intervals")

# Sentences of the whole report
SUGGESTION = _private("SUGGESTION", "Suggestion, to be confirmed")
CONFLICT = _private("CONFLICT", "Sources differ")
UNUSABLE = _private("UNUSABLE", "Not used")
DISAGREEMENT = _private("DISAGREEMENT", "Systems disagree")

# Algorithm families (CID 7162, extensible)
COX_REGRESSION = _private("COX", "Proportional hazards regression")

_IMPI_KEY = "IMPI"
IMPI_PREDICTOR = _private(f"{_IMPI_KEY}_LP", "IMPI linear predictor")
IMPI_LEAST = _private(f"{_IMPI_KEY}_LP_LEAST", "IMPI linear predictor, least possible")
IMPI_MOST = _private(f"{_IMPI_KEY}_LP_MOST", "IMPI linear predictor, most possible")

_INDEX_KEYS: Mapping[str, str] = {
    "ipi": "IPI",
    "aa_ipi": "AAIPI",
    "r_ipi": "RIPI",
    "nccn_ipi": "NCCNIPI",
    "cns_ipi": "CNSIPI",
    "impi": _IMPI_KEY,
}
_ENDPOINT_KEYS: Mapping[str, str] = {"complete_remission": "CR", "cns_relapse": "CNS"}
_EVIDENCE: Mapping[str, Code] = {
    "E0": _private("E0", "E0: trained on virtual patients"),
    "E1": _private("E1", "E1: local patients, internally validated"),
    "E2": _private("E2", "E2: local patients, externally validated"),
}


def _key(name: str) -> str:
    """Capitals and digits of a name."""
    return re.sub(r"[^A-Z0-9]", "", name.upper()) or hashlib.sha256(name.encode("utf-8")).hexdigest().upper()


def _built(value: str, text: str, ending: str = "") -> Code:
    """A private code built by a rule: cut to what a code may hold, the ending of its name never."""
    room = _MEANING_CHARACTERS - len(ending)
    meaning = text if len(text) <= room else f"{text[: room - 3]}..."
    if len(value) > _VALUE_CHARACTERS:
        digest = hashlib.sha256(value.encode("utf-8")).hexdigest()[:_DIGEST_CHARACTERS].upper()
        value = f"{value[: _VALUE_CHARACTERS - _DIGEST_CHARACTERS]}{digest}"
    return _private(value, f"{meaning}{ending}")


def index_code(field: str) -> Code:
    """An index itself, as the finding of its group."""
    return _private(_INDEX_KEYS[field], INDEX_TITLES[field])


def points_codes(field: str, name: str) -> tuple[Code, Code, Code]:
    """Points of an index: known, least and most possible. A range has codes of its own, lest its end be read as it."""
    key = _INDEX_KEYS[field]
    return (
        _private(f"{key}_POINTS", f"{name} points"),
        _private(f"{key}_LEAST", f"{name} points, least possible"),
        _private(f"{key}_MOST", f"{name} points, most possible"),
    )


def endpoint_code(endpoint: str) -> Code:
    """An endpoint."""
    meaning = ENDPOINTS.get(endpoint, endpoint)
    return _built(_endpoint_key(endpoint), f"{meaning[:1].upper()}{meaning[1:]}")


def _endpoint_key(endpoint: str) -> str:
    return _ENDPOINT_KEYS.get(endpoint) or _key(endpoint)


def published_code(name: str, endpoint: str, months: int | None) -> Code:
    """The share published for the risk group of an index, ``PUB_OS_60``."""
    when = "" if months is None else f"_{months}"
    meaning = f"{name} group, published: {endpoint_at(endpoint, months, short=endpoint == 'cns_relapse')}"
    return _built(f"PUB_{_endpoint_key(endpoint)}{when}", meaning)


def system_code(title: str, kind: str, words: str, endpoint: str, months: float | None, *, simulated: bool) -> Code:
    """A figure of a system, ``SURV_PFS_60`` or ``SIM_SURV_PFS_60``.

    Args:
        title: of the system or nomogram. kind: of a few capitals. words: what it is, for the name.
        endpoint: empty for what has none. months: None for what has no horizon.
    """
    parts = [kind, *([_endpoint_key(endpoint)] if endpoint else []), *([] if months is None else [f"{months:g}"])]
    what = ", ".join([*([endpoint_at(endpoint, months, short=True)] if endpoint else []), words])
    prefix, ending = ("SIM_", ", simulation-trained") if simulated else ("", "")
    return _built(f"{prefix}{'_'.join(parts)}", f"{title}: {what}", ending)


def system_itself(name: str, title: str) -> Code:
    """A system or nomogram as the finding of its group."""
    return _built(_key(name), title)


def group_code(name: str) -> Code:
    """A risk group: of CID 3118 where that has it, else private with the group's own name."""
    return _GROUPS.get(name) or _built(f"G_{_key(name)}", name)


def evidence_code(level: str) -> Code:
    """An evidence level."""
    return _EVIDENCE[level]
