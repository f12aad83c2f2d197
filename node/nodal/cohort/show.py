"""A checked cohort as a table for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nodal.cohort.model import ALL_USES, CohortReport, CohortSummary, EndpointSummary, Fault, PatientReport, Use

__all__ = ["cohort_table"]


def cohort_table(report: CohortReport) -> RenderableType:
    """A line per row, a line per fault, then the numbers of the whole cohort."""
    table = Table("patient", "centre", "lesions", "mL", "segmentation", "PFS", "OS")
    for patient in report.patients:
        table.add_row(*_line(patient))
    parts: list[RenderableType] = [table]
    if any(patient.faults for patient in report.patients):
        parts.append(_reasons(report.patients))
    parts.append(_numbers(report.summary))
    if report.virtual:
        parts.append(Text("simulated patients: nothing trained on them is evidence about real ones", style="yellow"))
    if report.note:
        parts.append(Text(report.note, style="yellow"))
    return Group(*parts)


def _line(patient: PatientReport) -> tuple[str | Text, ...]:
    images = patient.images
    return (
        _called(patient),
        patient.centre or "-",
        "-" if images.lesions is None else str(images.lesions),
        "-" if images.lesion_ml is None else f"{images.lesion_ml:.1f}",
        *(_mark(use in patient.uses) for use in ALL_USES),
    )


def _reasons(patients: Sequence[PatientReport]) -> Table:
    """A line per fault; what all patients share is said once."""
    table = Table("patient", "not for", title="what is wrong", title_justify="left")
    table.add_column("code", no_wrap=True)
    table.add_column("because", ratio=1)
    times = Counter(fault for patient in patients for fault in set(patient.faults))
    shared = [fault for fault, count in times.items() if count == len(patients) > 1]
    for fault in shared:
        table.add_row("every patient", *_reason(fault))
    for patient in patients:
        for fault in patient.faults:
            if fault not in shared:
                table.add_row(_called(patient), *_reason(fault))
    return table


def _reason(fault: Fault) -> tuple[str, str, str]:
    barred = "anything" if set(fault.bars) == set(ALL_USES) else ", ".join(map(_short, fault.bars)) or "-"
    return barred, str(fault.code), fault.sentence


def _called(patient: PatientReport) -> str:
    return patient.patient_id or f"(line {patient.line})"


def _short(use: Use) -> str:
    return use if use == "segmentation" else use.upper()


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
