"""The last sections: what was not computed and why, the series, and the provenance."""

from __future__ import annotations

from nodal.findings import Findings
from nodal.report.pdf_flow import Flow
from nodal.report.pdf_words import amount, instant, sentence
from nodal.report.system_words import NOMOGRAM_TITLES, SYSTEM_TITLES
from nodal.report.verified import observer_words

__all__ = ["not_computed", "provenance", "series"]

ENTRY_PT = 13.0
"""Of an entry of one line."""

_ITEMS = {
    "ipi": "IPI",
    "aa_ipi": "aaIPI",
    "r_ipi": "R-IPI",
    "nccn_ipi": "NCCN-IPI",
    "cns_ipi": "CNS-IPI",
    "impi": "IMPI",
    "dmax_mm": "Dmax",
    "dmax_bulk_mm": "Dmax from largest lesion",
    "sdmax_per_m": "SDmax",
    "liver_suv_mean": "liver SUVmean",
}


def not_computed(flow: Flow, findings: Findings) -> None:
    """Each missing item with its code and sentence; items with the same reason share an entry."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for one in findings.not_computed:
        grouped.setdefault((one.code, one.reason), []).append(_item(one.item))
    if not grouped:
        return
    flow.heading("Not computed, and why")
    for (code, reason), items in grouped.items():
        flow.entry(", ".join(items), f"{sentence(reason)} ({code})", label_width=190.0)
    flow.y += 10


def _item(item: str) -> str:
    """The name of an item for readers; "nomograms." before it tells a nomogram from the system it rests on."""
    room, _, name = item.rpartition(".")
    titles = {**_ITEMS, **(NOMOGRAM_TITLES if room == "nomograms" else SYSTEM_TITLES)}
    return titles.get(name, name.replace("_", " "))


def series(flow: Flow, findings: Findings) -> None:
    """Which series were used, and why each other one was passed over."""
    flow.heading("Series of the study")
    order = {"pet": 0, "ct": 1, None: 2}
    for one in sorted(findings.series, key=lambda s: (order[s.used_as], s.series_instance_uid)):
        role = {"pet": "used as PET", "ct": "used as CT", None: "passed over"}[one.used_as]
        flow.entry(f"{one.modality}, {role}", sentence(one.reason), one.series_instance_uid)
    flow.y += 10


def provenance(flow: Flow, findings: Findings, digest: str) -> None:
    """All that is needed to make the same report again."""
    used, suv = findings.segmentation, findings.suv
    flow.heading("Provenance")
    entries: list[tuple[str, str]] = [
        ("Node", f"Nodal {findings.provenance.node_version}"),
        (
            "Segmentation",
            f"{used.method}, at least {amount(used.min_volume_ml)} mL, anatomy engine {used.anatomy_engine}",
        ),
    ]
    if used.reference_sop_instance_uid:
        entries.append(("Reference contour", used.reference_sop_instance_uid))
    if used.words is not None:
        entries.append(("Readers' words", f"{used.words.count}, SHA-256 {used.words.sha256}"))
    entries.append(("SUV", f"{suv.method}; factor {suv.factor:.6g}" if suv.factor is not None else suv.method))
    if suv.scan_reference_time:
        decay = f", decay over {suv.decay_s:.0f} s" if suv.decay_s is not None else ""
        entries.append(("Decay reference", f"{instant(suv.scan_reference_time)}{decay}"))
    entries += [("SUV warning", warning) for warning in suv.warnings]
    entries += [("Bundle", f"{b.name} {b.version}, SHA-256 {b.sha256}") for b in findings.provenance.bundles]
    if not findings.provenance.bundles:
        entries.append(("Trained bundles", "none took part"))
    identity = [
        ("Latest input", instant(findings.content_datetime)),
        ("Study", findings.study_instance_uid),
        ("PET series", findings.pet_series_instance_uid),
        ("CT series", findings.ct_series_instance_uid),
        ("Lesion map", f"SHA-256 {findings.lesion_map_sha256}"),
        ("Settings", f"SHA-256 {findings.settings_sha256}"),
        ("Findings", f"SHA-256 {digest}"),
    ]
    if findings.review is not None:
        identity.insert(0, ("Verified by", f"{observer_words(findings.review)}, {instant(findings.review.at)} (UTC)"))
    if findings.predecessor_sr_uid:
        identity.append(("Replaces the report", findings.predecessor_sr_uid))
    for label, text in entries:
        flow.entry(label, text)
    flow.ensure(len(identity) * ENTRY_PT)  # on one page, whichever it is
    for label, text in identity:
        flow.entry(label, text)
