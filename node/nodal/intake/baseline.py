"""Whether a scan is the one before treatment.

The clinical record decides where it says something. Else the words of the request and of the series are searched
for the terms below; else an earlier PET/CT of the same patient speaks against a baseline. The table is short on
purpose: a word that also has another meaning ("control", "PET 2", "post") is not in it, because what is not
recognised is still labelled "assumed baseline" on every output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydicom import Dataset

from nodal.clinical.record import ClinicalRecord
from nodal.errors import Code, Refused
from nodal.intake.words import described
from nodal.settings import BaselineSettings
from nodal.study import Baseline

__all__ = ["BaselineDecision", "Timepoint", "decide_baseline", "timepoint_in"]

Timepoint = Literal["baseline", "interim", "end_of_treatment", "follow_up"]

_NUMBER = r"(?:\d+|one|two|three|four|five|six|eight|zwei|drei|vier|sechs|deux|trois|quatre|six)"
_COURSE = r"(?:cycles?|courses?|zyklen|zyklus|cures?|x? ?(?:r )?chop|x? ?abvd|x? ?beacopp\w*|x? ?(?:pola )?r chp)"

# Searched in text made plain (lower case, no accents, single spaces); the first that matches decides.
_TERMS: tuple[tuple[Timepoint, str], ...] = (
    ("interim", r"\binterim\w*"),
    ("interim", r"\bipet\b"),
    ("interim", rf"\b(?:after|post|nach|apres) {_NUMBER} ?{_COURSE}\b"),
    ("interim", r"\b(?:after|post|nach|apres) (?:cycle|c|zyklus|cure) ?\d\b"),
    ("interim", r"\bmid (?:treatment|therapy|chemo\w*)\b"),
    ("interim", r"\bzwischen(?:staging|kontrolle|untersuchung)\b"),
    ("interim", r"\b(?:mi traitement|mi parcours|evaluation intermediaire|tep intermediaire)\b"),
    ("end_of_treatment", r"\bend of (?:treatment|therapy|chemo\w*)\b"),
    ("end_of_treatment", r"\beot\b"),
    ("end_of_treatment", r"\b(?:post|after) (?:treatment|therapy|therapie|chemo\w*|radio\w*|rt|car t)\b"),
    ("end_of_treatment", r"\b(?:therapieende|abschluss(?:staging|untersuchung|pet)?|nach (?:therapie|chemo\w*))\b"),
    ("end_of_treatment", r"\b(?:fin de (?:traitement|chimio\w*)|apres (?:traitement|chimio\w*)|post therapeutique)\b"),
    ("follow_up", r"\bfollow ?up\b"),
    ("follow_up", r"\b(?:surveillance|nachsorge|verlaufskontrolle|verlauf)\b"),
    ("follow_up", r"\bre ?staging\b"),
    ("follow_up", r"\b(?:relapsed?|recurren(?:ce|t)|rezidiv\w*|recidive|rechute)\b"),
    ("follow_up", r"\bsuivi\b"),
    ("baseline", r"\b(?:baseline|base line)\b"),
    ("baseline", r"\b(?:initial|primary) staging\b"),
    ("baseline", r"\bpre ?(?:treatment|therapy|therapeutic|chemo\w*)\b"),
    ("baseline", r"\b(?:primarstaging|erststaging|erstdiagnose|vor (?:therapie|chemo\w*))\b"),
    ("baseline", r"\b(?:bilan (?:d )?(?:extension )?initial|avant traitement|pre therapeutique)\b"),
)
_PATTERNS = tuple((timepoint, re.compile(pattern)) for timepoint, pattern in _TERMS)

# Patients' histories (0010,21B0) are not read: they tell of earlier scans as well as of this one.
_KEYWORDS = (
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
    "ReasonForTheRequestedProcedure",
)
_SPOKEN: dict[Timepoint, str] = {
    "baseline": "before treatment",
    "interim": "during treatment (interim)",
    "end_of_treatment": "at the end of treatment",
    "follow_up": "during follow-up",
}


@dataclass(frozen=True)
class BaselineDecision:
    """What the selection writes of the time point; ``warnings`` as in :class:`nodal.study.Selection`."""

    baseline: Baseline
    warnings: tuple[tuple[str, str], ...] = ()


def timepoint_in(headers: Iterable[Dataset]) -> Timepoint | None:
    """The time point that the descriptions name, None where they name none.

    A word for a later scan outweighs "baseline" (as in "follow-up, compared with baseline").
    """
    text = "|".join({described(header, *_KEYWORDS): None for header in headers})
    return next((timepoint for timepoint, pattern in _PATTERNS if pattern.search(text)), None)


def decide_baseline(
    headers: Iterable[Dataset],
    *,
    rules: BaselineSettings,
    clinical: ClinicalRecord | None,
    earlier_pet_ct_date: str | None,
) -> BaselineDecision:
    """Confirmed, assumed, or refused.

    Args:
        headers: one of each series chosen.
        earlier_pet_ct_date: DA of an earlier PET/CT of this patient that this node has seen.

    Raises:
        Refused: NOT_BASELINE, where the scan is a later one and the settings do not allow it.
    """
    named = timepoint_in(headers)
    recorded = clinical.timepoint if clinical else None
    if recorded == "baseline":
        doubts = []
        if named not in (None, "baseline"):
            doubts.append(f"the descriptions say that the scan was made {_SPOKEN[named]}")
        if earlier_pet_ct_date:
            doubts.append(f"an earlier PET/CT of this patient, of {earlier_pet_ct_date}, is known")
        text = "the clinical record says baseline, but " + " and ".join(doubts)
        return BaselineDecision("confirmed", (("BASELINE_DOUBTFUL", text),) if doubts else ())
    later = recorded or (named if named != "baseline" else None)
    if later is not None:
        source = "clinical record says" if recorded else "descriptions say"
        sentence = f"the {source} that this scan was made {_SPOKEN[later]}, not before treatment"
    elif earlier_pet_ct_date and named != "baseline":
        sentence = f"an earlier PET/CT of this patient, of {earlier_pet_ct_date}, is known, so this one is no baseline"
    else:
        return BaselineDecision("confirmed" if named == "baseline" else "assumed")
    if not rules.allow_followup:
        raise Refused(Code.NOT_BASELINE, f"{sentence}; the methods are made for baseline scans")
    return BaselineDecision("assumed", ((str(Code.NOT_BASELINE), f"{sentence}; processed by the node's setting"),))
