"""Published data sets become cohort folders: autoPET, HECKTOR, and collections of The Cancer Imaging Archive."""

from __future__ import annotations

from pathlib import Path

from nodal.cohort.importers.autopet import import_autopet
from nodal.cohort.importers.hecktor import import_hecktor
from nodal.cohort.importers.report import ImportReport, PassedOver, Source
from nodal.cohort.importers.tcia import import_tcia
from nodal.errors import WrongUsage

__all__ = ["ImportReport", "PassedOver", "Source", "import_cohort"]


def import_cohort(
    kind: Source, source: Path, out: Path, *, only: str | None = None, copy: bool = False
) -> ImportReport:
    """Makes a cohort folder of a published one.

    Args:
        source: the folder as its publisher lays it out. out: the cohort folder; empty, or made.
        only: a diagnosis, where the source tells diagnoses (autoPET: lymphoma, melanoma, lung_cancer, negative).
        copy: copy the files; else they are linked and the source must stay where it is.

    Raises:
        WrongUsage: a folder that is not there or not empty, or ``only`` where no diagnosis is told.
        Refused: SOURCE_LAYOUT, nothing in ``source`` looks as it should.
    """
    if not source.is_dir():
        raise WrongUsage(f"{source} is not a folder")
    if out.exists() and any(out.iterdir()):
        raise WrongUsage(f"{out} is not empty")
    if only is not None and kind != "autopet":
        raise WrongUsage(f"{kind} tells no diagnosis to choose by")
    if kind == "autopet":
        return import_autopet(source, out, only=only, copy=copy)
    return (import_hecktor if kind == "hecktor" else import_tcia)(source, out, copy=copy)
