"""What a revision changed: TMTV, lesions and risk, of the two findings side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nodal.errors import Code, Failed
from nodal.findings import Findings, Lesion, from_json
from nodal.jobs.workspace import Workspace
from nodal.outlook import EndpointFinding, IndexFinding
from nodal.report.system_words import system_title

__all__ = ["Difference", "LesionChange", "RiskChange", "compared", "difference_of"]


@dataclass(frozen=True)
class RiskChange:
    """A risk group before and after; None where it was not computed, is open, or is withheld.

    Attributes:
        what: "LAMP OS", or the name of an index.
    """

    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class LesionChange:
    """A lesion by its number; its volume is None where it was not there."""

    number: int
    before_ml: float | None
    after_ml: float | None


@dataclass(frozen=True)
class Difference:
    """Two revisions of a study.

    Attributes:
        predecessor: the nearest job before that had findings. cause: of ``job_id``.
        tmtv_ml, tlg_g, lesion_count: before, after; of accepted lesions.
        lesions: those whose volume changed, that came or went. risks: the groups that changed.
        line: all of it in one line, for a page.
    """

    job_id: str
    predecessor: str
    cause: str
    tmtv_ml: tuple[float, float]
    tlg_g: tuple[float, float]
    lesion_count: tuple[int, int]
    lesions: tuple[LesionChange, ...]
    risks: tuple[RiskChange, ...]
    line: str


def difference_of(workspace: Workspace) -> Difference:
    """Of a job and the nearest before it that had findings.

    Raises:
        Failed: JOB_STATE where one of the two is not there.
    """
    if not workspace.path("findings.json").is_file():
        raise Failed(Code.JOB_STATE, "this job has no findings yet")
    before = workspace.request().predecessor
    while before is not None:
        older = Workspace(workspace.root.parent / before)
        if older.path("findings.json").is_file():
            return compared(
                from_json(older.path("findings.json")),
                from_json(workspace.path("findings.json")),
                job_id=workspace.root.name,
                predecessor=before,
                cause=workspace.request().cause,
            )
        before = older.request().predecessor if older.path("request.json").exists() else None
    raise Failed(Code.JOB_STATE, "this job replaced none that had findings")


def compared(before: Findings, after: Findings, *, job_id: str, predecessor: str, cause: str) -> Difference:
    """Two findings of one study side by side."""
    risks = tuple(_risks(before, after))
    tmtv = (before.totals.tmtv_ml, after.totals.tmtv_ml)
    count = (before.totals.lesion_count, after.totals.lesion_count)
    said = [f"TMTV {tmtv[0]:.1f} -> {tmtv[1]:.1f} mL", f"lesions {count[0]} -> {count[1]}"]
    said += [f"{one.what} {one.before or 'open'} -> {one.after or 'open'}" for one in risks]
    return Difference(
        job_id,
        predecessor,
        cause,
        tmtv,
        (before.totals.tlg_g, after.totals.tlg_g),
        count,
        tuple(_lesions(before, after)),
        risks,
        ", ".join(said),
    )


def _lesions(before: Findings, after: Findings) -> Iterator[LesionChange]:
    was, now = _volumes(before.lesions), _volumes(after.lesions)
    for number in sorted(was.keys() | now.keys()):
        if was.get(number) != now.get(number):
            yield LesionChange(number, was.get(number), now.get(number))


def _volumes(lesions: tuple[Lesion, ...]) -> dict[int, float]:
    return {lesion.number: lesion.volume_ml for lesion in lesions}


def _risks(before: Findings, after: Findings) -> Iterator[RiskChange]:
    was, now = _groups(before), _groups(after)
    for what in dict.fromkeys((*was, *now)):
        if was.get(what) != now.get(what):
            yield RiskChange(what, was.get(what), now.get(what))


def _groups(findings: Findings) -> dict[str, str | None]:
    """The group of every system's endpoint and of every index; what the evidence level withholds is None."""
    groups = {
        f"{system_title(name)} {endpoint.upper()}": _group(found)
        for name, system in findings.systems.items()
        for endpoint, found in system.endpoint.items()
    }
    for index in vars(findings.indices).values():
        if isinstance(index, IndexFinding):
            groups[index.name] = index.group
    return groups


def _group(found: EndpointFinding) -> str | None:
    return None if found.withheld else found.group
