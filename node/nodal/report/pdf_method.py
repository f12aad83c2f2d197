"""How the numbers came about: lesions, SUV, and the scan's quality in full."""

from __future__ import annotations

from nodal.findings import Findings
from nodal.report.lesion_words import RANGE_WORDS, features_words, judged_by_words
from nodal.report.pdf_flow import LABEL, LEFT, RIGHT, WIDTH, Flow
from nodal.report.pdf_sheet import CAUTION, MUTED
from nodal.report.pdf_words import UNKNOWN, amount, instant, rule, sentence, yes_no

__all__ = ["LIVER_SUV_RANGE", "liver_words", "method_section", "quality_section"]

LIVER_SUV_RANGE = (1.3, 3.0)
"""SUVmean of the liver in a well-made FDG scan (EANM procedure guideline 2.0)."""

_COLUMNS = 3


def liver_words(findings: Findings) -> str:
    """SUVmean of the liver and whether it is where a well-made scan has it."""
    value = findings.quality.liver_suv_mean
    if value is None:
        return UNKNOWN
    low, high = LIVER_SUV_RANGE
    return f"{amount(value, digits=2)} {'in range' if low <= value <= high else 'out of range'}"


def method_section(flow: Flow, findings: Findings) -> None:
    """How lesions were found and SUV computed."""
    flow.heading("Method")
    flow.entry("Lesions", sentence(rule(findings.segmentation)))
    if judged := judged_by_words(findings):
        flow.entry("Judged", sentence(judged))
    if (made := findings.segmentation).in_range is not None:
        failed = f": {features_words(made.in_range_features)}" if made.in_range_features else ""
        flow.entry("Range check", sentence(f"{RANGE_WORDS[made.in_range]}{failed}"))
    if made.words is not None:
        flow.entry(
            "Readers", f"{made.words.count} of the candidates as readers decided, last {instant(made.words.instant)}."
        )
    for note in made.notes:
        flow.entry("Note", sentence(note))
    flow.entry("SUV", f"Body weight, {findings.suv.method}.")
    if findings.lesions:
        flow.entry("SUVpeak", "Highest mean in a 1 mL sphere centred in the lesion.")
    flow.y += 8


def quality_section(flow: Flow, findings: Findings) -> None:
    """The scan's quality as a table, then every doubt about it."""
    quality = findings.quality
    low, high = LIVER_SUV_RANGE
    seen = {True: "seen", False: "not seen", None: UNKNOWN}
    cells = (
        ("Uptake time", amount(quality.uptake_minutes, "min", digits=0)),
        ("Injected activity", amount(quality.injected_mbq_per_kg, "MBq/kg", digits=1)),
        (f"Liver SUVmean, EANM {low}–{high}", liver_words(findings)),
        ("Brain · thighs", f"{seen[quality.brain_covered]} · {seen[quality.thighs_covered]}"),
        ("PET to CT shift", amount(quality.pet_ct_shift_mm, "mm", digits=1)),
        ("CT contrast medium", yes_no(quality.ct_contrast)),
    )
    flow.heading("Scan quality", needed=60)
    sheet = flow.document
    width = WIDTH / _COLUMNS
    for index, (label, value) in enumerate(cells):
        x = LEFT + (index % _COLUMNS) * width
        y = flow.y + 24.0 * (index // _COLUMNS)
        sheet.text(x, y + 6, label, LABEL, colour=MUTED)
        sheet.text(x, y + 16.5, value, 8.6, bold=value != UNKNOWN)
    flow.y += 24.0 * -(-len(cells) // _COLUMNS)
    sheet.rule(LEFT, flow.y, RIGHT, flow.y, width=0.35)
    flow.y += 4
    for flag in quality.flags:
        flow.entry("Note", sentence(flag.message), label_width=34.0, label_colour=CAUTION)
    flow.y += 8
