"""A checked cohort as a table for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nodal.cohort.model import CohortReport, CohortSummary, EndpointSummary, PatientReport

__all__ = ["cohort_table"]


def cohort_table(report: CohortReport) -> RenderableType:
    """A line per row, then the numbers of the whole cohort."""
    table = Table("patient", "centre", "lesions", "mL", "segmentation", "PFS", "OS", "said")
    for patient in report.patients:
        table.add_row(*_line(patient))
    parts: list[RenderableType] = [table, _numbers(report.summary)]
    if report.virtual:
        parts.append(Text("simulated patients: nothing trained on them is evidence about real ones", style="yellow"))
    if report.note:
        parts.append(Text(report.note, style="yellow"))
    return Group(*parts)


def _line(patient: PatientReport) -> tuple[str | Text, ...]:
    images = patient.images
    said = "\n".join(f"{fault.code}: {fault.sentence}" for fault in patient.faults)
    return (
        patient.patient_id or f"(line {patient.line})",
        patient.centre or "-",
        "-" if images.lesions is None else str(images.lesions),
        "-" if images.lesion_ml is None else f"{images.lesion_ml:.1f}",
        *(_mark(use in patient.uses) for use in ("segmentation", "pfs", "os")),
        Text(said, style="dim" if patient.uses else "red"),
    )


def _mark(able: bool) -> Text:
    return Text("yes", style="green") if able else Text("no", style="red")


def _numbers(summary: CohortSummary) -> Table:
    table = Table(title="usable", title_justify="left", show_header=False)
    table.add_row("patients", f"{summary.usable} of {summary.rows}")
    table.add_row("segmentation", str(summary.segmentation))
    table.add_row("PFS", _endpoint(summary.pfs))
    table.add_row("OS", _endpoint(summary.os))
    table.add_row("centres", ", ".join(f"{name or 'unnamed'} {count}" for name, count in summary.centres) or "-")
    if summary.mean_readers_dice is not None:
        table.add_row("agreement of readers", f"mean Dice {summary.mean_readers_dice:.2f}")
    return table


def _endpoint(endpoint: EndpointSummary) -> str:
    median = endpoint.median_follow_up_months
    follow_up = "median follow-up not reached" if median is None else f"median follow-up {median:.1f} months"
    return f"{endpoint.patients}, {endpoint.events} events, {follow_up}" if endpoint.patients else "-"
