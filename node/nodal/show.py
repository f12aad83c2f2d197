"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nodal.audit import Event
from nodal.doctor import Check
from nodal.findings import Findings
from nodal.jobs.model import JobView
from nodal.report.index_words import endpoint_at, impi_words, index_sentence, shown_indices, spread
from nodal.report.pdf_words import capital
from nodal.report.system_words import evidence_sentence, probability_words, system_title, withholds

__all__ = ["audit_table", "doctor_table", "findings_table", "jobs_table"]

LESIONS_SHOWN = 15


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def findings_table(findings: Findings, folder: Path) -> RenderableType:
    """Totals, the largest lesions, what was not computed, and where the files are."""
    totals = findings.totals
    title = "FDG PET/CT" if totals.field_of_view == "whole" else "limited field of view, not whole-body TMTV"
    head = Table(title=title, title_justify="left", show_header=False)
    head.add_row("lesions", str(totals.lesion_count))
    head.add_row("TMTV", f"{_number(totals.tmtv_ml)} mL")
    head.add_row("TLG", f"{_number(totals.tlg_g)} g")
    head.add_row("SUVmax / SUVpeak", f"{_number(totals.suv_max, 2)} / {_number(totals.suv_peak, 2)}")
    head.add_row("Dmax", f"{_number(totals.dmax_mm, 0)} mm")
    head.add_row("delineated by", findings.segmentation.description)
    head.add_row("SUV", findings.suv.method)
    parts: list[RenderableType] = [head, *_outlook(findings)]
    if findings.lesions:
        parts.append(_lesions(findings))
    flags = [f"{flag.code}: {flag.message}" for flag in findings.quality.flags]
    missing = [f"{item.item}: {item.code}" for item in findings.not_computed]
    parts += [Text(line, style="yellow") for line in flags]
    parts += [Text(f"not computed: {', '.join(missing)}", style="dim"), Text(f"written to {folder}")]
    return Group(*parts)


def _outlook(findings: Findings) -> list[RenderableType]:
    """Indices, and what each system says as far as its evidence lets it."""
    said = [index_sentence(finding) for _, finding in shown_indices(findings.indices)]
    if findings.indices.impi is not None:
        said.append(impi_words(findings.indices.impi))
    for name, system in findings.systems.items():
        if system.status != "computed":
            continue
        held = withholds(system, virtual=findings.virtual)
        said.append(f"{system_title(name)}: {evidence_sentence(system)}")
        for endpoint, risk in system.endpoint.items():
            shares = [probability_words(one.probability, one.range, one.ci) for one in risk.survival]
            ahead = "; ".join(
                f"{endpoint_at(endpoint, one.months)} {share}" for one, share in zip(risk.survival, shares, strict=True)
            )
            low, high = risk.percentile
            percentile = f"{endpoint_at(endpoint, None)} risk at percentile {spread(low, high, digits=0)}"
            said.append(percentile if held or risk.withheld else ahead)
    return [Text(capital(line)) for line in (*said, *findings.disagreements)]


def _lesions(findings: Findings) -> Table:
    table = Table("lesion", "site", "mL", "SUVmax", "SUVpeak", "TLG g", "mm")
    for lesion in findings.lesions[:LESIONS_SHOWN]:
        table.add_row(
            f"L{lesion.number:02d}",
            (lesion.organ or lesion.station or "-").replace("_", " "),
            _number(lesion.volume_ml),
            _number(lesion.suv_max, 2),
            _number(lesion.suv_peak, 2),
            _number(lesion.tlg_g),
            _number(lesion.longest_diameter_mm, 0),
        )
    if len(findings.lesions) > LESIONS_SHOWN:
        table.caption = f"and {len(findings.lesions) - LESIONS_SHOWN} smaller ones in findings.json"
    return table


def jobs_table(jobs: Sequence[JobView]) -> Table:
    """A line per job, newest first as given."""
    table = Table("job", "state", "stage", "lesions", "TMTV mL", "deliveries", "updated", "said")
    for job in jobs:
        sent = sum(delivery.state in ("sent", "committed") for delivery in job.deliveries)
        table.add_row(
            job.job_id,
            job.state,
            str(job.stage or "-"),
            str(job.summary.get("lesion_count", "-")),
            str(job.summary.get("tmtv_ml", "-")),
            f"{sent}/{len(job.deliveries)}",
            job.updated,
            f"{job.code}: {job.message}" if job.code else "",
        )
    return table


def audit_table(events: Sequence[Event]) -> Table:
    """A line per event."""
    table = Table("time", "action", "outcome", "job", "details")
    for event in events:
        details = " ".join(f"{name}={value}" for name, value in event.details.items())
        said = f"{event.code} {details}" if event.code else details
        table.add_row(event.time, event.action, event.outcome, event.job_id or "-", said)
    return table


def doctor_table(checks: Sequence[Check]) -> Table:
    """A line per check."""
    colours = {"good": "green", "note": "yellow", "wrong": "red"}
    table = Table("what", "state", "said")
    for check in checks:
        table.add_row(check.subject, Text(check.state, style=colours[check.state]), check.said)
    return table
