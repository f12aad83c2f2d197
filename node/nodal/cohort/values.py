"""One row's texts become clinical factors and outcomes; what cannot be is told and counts as unknown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

from nodal.cohort.model import Fault, Use
from nodal.errors import Code

__all__ = ["Fields", "Outcomes"]

UNKNOWN = frozenset({"", "na", "n/a", "nan", "null", "unknown", "?", "-", "."})
_YES, _NO = frozenset({"1", "1.0", "yes", "true", "y"}), frozenset({"0", "0.0", "no", "false", "n"})
_SEXES = {"m": "M", "male": "M", "f": "F", "female": "F"}
_ORIGINS = {"gcb": "GCB", "non-gcb": "non-GCB", "non gcb": "non-GCB", "nongcb": "non-GCB"}
_STAGES = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "1": 1, "2": 2, "3": 3, "4": 4}
_STAGE = re.compile(r"^(?:stage )?(iv|i{1,3}|[1-4])(?:\.0)?[abexs]*$")  # Ann Arbor, with its suffixes

OLDEST_YEARS = 120.0
HIGHEST_LDH_RATIO = 60.0
"""[A] Over the limit of normal; above it stands an LDH in U/L."""
LONGEST_MONTHS = 600.0
"""[A] Fifty years; above it stands a time in days."""

PROGNOSIS: tuple[Use, ...] = ("pfs", "os")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Outcomes:
    """Both endpoints; None where not known or not usable."""

    pfs: Outcome | None
    os: Outcome | None


@dataclass(frozen=True)
class Fields:
    """The texts of a row by column; ``faults`` grows as they are read."""

    texts: Mapping[str, str]
    faults: list[Fault] = field(default_factory=list)

    def text(self, column: str) -> str:
        """Empty where the column is not there or says that it is unknown."""
        text = self.texts.get(column, "").strip()
        return "" if text.lower() in UNKNOWN else text

    def several(self, column: str) -> tuple[str, ...]:
        """Texts separated by semicolons."""
        return tuple(part for part in map(str.strip, self.text(column).split(";")) if part)

    def flag(self, column: str, bars: tuple[Use, ...] = PROGNOSIS) -> bool | None:
        """Yes or no; anything else is a fault."""
        words = {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}
        return self._known(column, words, "yes or no", bars)

    def clinical(self) -> ClinicalFactors:
        """The clinical factors. One that cannot be bars prognosis: left out in silence it would be imputed later."""
        stage = self._stage()
        ecog = self._number("ecog", 0, 4)
        if ecog is not None and ecog != int(ecog):
            self._impossible("ecog", "a whole number from 0 to 4")
            ecog = None
        values: dict[str, Any] = {
            "age_years": self._number("age", 0, OLDEST_YEARS),
            "sex": self._known("sex", _SEXES, "M or F"),
            "stage": stage,
            "ldh_ratio": self._number("ldh_ratio", 0, HIGHEST_LDH_RATIO, above=True),
            "ecog": None if ecog is None else int(ecog),
            "extranodal_sites": self._sites(),
            "cell_of_origin": self._known("cell_of_origin", _ORIGINS, "GCB or non-GCB"),
            "bulky": self.flag("bulky"),
            "b_symptoms": self.flag("b_symptoms"),
        }
        return ClinicalFactors(**values)

    def outcomes(self) -> Outcomes:
        """Progression-free and overall survival. Progression or death ends PFS, so it cannot outlast OS."""
        before = len(self.faults)
        pfs, os = self._outcome("pfs"), self._outcome("os")
        if pfs is not None and os is not None and pfs.months > os.months:
            sentence = f"PFS of {pfs.months:g} months is longer than OS of {os.months:g} months"
            self.faults.append(Fault(Code.PFS_AFTER_OS, sentence, PROGNOSIS))
            return Outcomes(None, None)
        told = {use for fault in self.faults[before:] for use in fault.bars}
        outcomes: dict[Use, Outcome | None] = {"pfs": pfs, "os": os}
        unknown = [use for use, known in outcomes.items() if known is None and use not in told]
        if unknown:
            what = "no outcome" if len(unknown) == len(PROGNOSIS) else f"no {unknown[0].upper()}"
            self.faults.append(Fault(Code.NO_FOLLOW_UP, f"{what} is known", tuple(unknown)))
        return Outcomes(pfs, os)

    def _outcome(self, name: Use) -> Outcome | None:
        texts = self.text(f"{name}_months"), self.text(f"{name}_event")
        if not any(texts):
            return None
        label = name.upper()
        if not all(texts):
            there, lacking = ("time", "event") if texts[0] else ("event", "time")
            self._no_outcome(Code.OUTCOME_INCOMPLETE, f"{label} has a {there} and no {lacking}", name)
            return None
        months = _as_number(texts[0])
        if months is None or months < 0 or months > LONGEST_MONTHS:
            said = f"{label} of {texts[0]} is no time in months (0 to {LONGEST_MONTHS:g})"
            self._no_outcome(Code.OUTCOME_IMPLAUSIBLE, said, name)
            return None
        event = texts[1].lower()
        if event not in _YES | _NO:
            self._no_outcome(Code.OUTCOME_IMPLAUSIBLE, f"the {label} event is {texts[1]}, not 0 or 1", name)
            return None
        if months == 0:
            self._no_outcome(Code.NO_FOLLOW_UP, f"{label} was followed for 0 months", name)
            return None
        return Outcome(months, event in _YES)

    def _no_outcome(self, code: Code, sentence: str, use: Use) -> None:
        self.faults.append(Fault(code, sentence, (use,)))

    def _stage(self) -> int | None:
        text = self.text("stage").lower()
        found = _STAGE.match(text)
        if text and not found:
            self._impossible("stage", "Ann Arbor I to IV")
            return None
        return _STAGES[found[1]] if found else None

    def _sites(self) -> tuple[str, ...] | None:
        parts = tuple(part.lower().replace(" ", "_") for part in self.several("extranodal_sites"))
        if parts in (("none",), ("0",)):
            return ()
        if any(_as_number(part) is not None for part in parts):
            self._impossible("extranodal_sites", "the names of organs, separated by semicolons, or none")
            return None
        return parts or None

    def _number(self, column: str, low: float, high: float, *, above: bool = False) -> float | None:
        text = self.text(column)
        if not text:
            return None
        value = _as_number(text)
        if value is None or not low <= value <= high or (above and value == low):
            self._impossible(column, f"a number {'above' if above else 'from'} {low:g} to {high:g}")
            return None
        return value

    def _known(
        self, column: str, words: Mapping[str, _T], expected: str, bars: tuple[Use, ...] = PROGNOSIS
    ) -> _T | None:
        text = self.text(column).lower()
        if text and text not in words:
            self._impossible(column, expected, bars)
            return None
        return words[text] if text else None

    def _impossible(self, column: str, expected: str, bars: tuple[Use, ...] = PROGNOSIS) -> None:
        said = f"{column} is {self.text(column)[:40]}; expected is {expected}"
        self.faults.append(Fault(Code.CLINICAL_IMPLAUSIBLE, said, bars))


def _as_number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
