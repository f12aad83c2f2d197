"""What an acceptance found, beside what was wanted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Check", "between", "save_checks", "table_of"]


@dataclass(frozen=True)
class Check:
    """One figure.

    Attributes:
        found: the figure. least, most: what is accepted; None without a limit. n: on how many it rests.
    """

    name: str
    found: float
    least: float | None
    most: float | None
    n: int

    @property
    def passed(self) -> bool:
        """Whether the figure lies within its limits; a figure that is not a number does not."""
        above = self.least is None or self.found >= self.least
        below = self.most is None or self.found <= self.most
        return self.found == self.found and above and below


def between(name: str, found: float, least: float | None, most: float | None, n: int) -> Check:
    """A check with plain numbers, whatever numpy type they came in."""
    limits = (None if limit is None else float(limit) for limit in (least, most))
    return Check(name, float(found), *limits, int(n))


def save_checks(checks: Sequence[Check], path: Path) -> None:
    """As JSON, in their order."""
    rows = [{**dataclasses.asdict(check), "passed": check.passed} for check in checks]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def table_of(checks: Sequence[Check]) -> str:
    """As a plain table."""
    width = max(len(check.name) for check in checks)
    return "\n".join(
        f"{'ok  ' if check.passed else 'FAIL'} {check.name:<{width}} {check.found:9.4f}  wanted {_limits(check)}, "
        f"n = {check.n}"
        for check in checks
    )


def _limits(check: Check) -> str:
    if check.least is None and check.most is None:
        return "(for information)"
    if check.least is None:
        return f"at most {check.most:.4g}"
    if check.most is None:
        return f"at least {check.least:.4g}"
    return f"{check.least:.4g} to {check.most:.4g}"
