"""Writes an evaluation as three files that say the same: for people on screen and on paper, and for machines."""

from __future__ import annotations

import shutil
from pathlib import Path

from lymphoma.evaluation.result import Evaluation
from lymphoma.lamp.organ_map import OrganMap

from nodal.errors import WrongUsage
from nodal.evaluation.contents import contents_of
from nodal.evaluation.html import evaluation_html
from nodal.evaluation.json_out import evaluation_json
from nodal.evaluation.pdf import evaluation_pdf
from nodal.evaluation.provenance import Provenance

__all__ = ["HTML", "JSON", "PDF", "check_folder", "write_report"]

JSON, HTML, PDF = "evaluation.json", "evaluation.html", "evaluation.pdf"


def check_folder(folder: Path) -> None:
    """Whether a report may be written there; asked before the long work begins.

    Raises:
        WrongUsage: where something stands there that is not an earlier report: it would be lost.
    """
    if folder.exists() and not folder.is_dir():
        raise WrongUsage(f"{folder} is not a folder")
    others = (
        sorted(file.name for file in folder.iterdir() if file.name not in (JSON, HTML, PDF)) if folder.exists() else []
    )
    if others:
        raise WrongUsage(
            f"{folder} holds {len(others)} other things, such as {others[0]}; name a folder for the report"
        )


def write_report(
    evaluation: Evaluation, folder: Path, provenance: Provenance | None = None, organs: OrganMap | None = None
) -> tuple[Path, Path, Path]:
    """Writes ``evaluation.json``, ``evaluation.html`` and ``evaluation.pdf``; the same evaluation gives the same bytes.

    An earlier report there is replaced whole.

    Args:
        organs: as the lesion network sees them, where a bundle reads its features; a picture of the two pages.

    Returns:
        The three files.

    Raises:
        WrongUsage: as :func:`check_folder`.
    """
    folder = folder.resolve()
    check_folder(folder)
    page = contents_of(evaluation, provenance, organs)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / JSON).write_text(evaluation_json(evaluation, provenance), encoding="utf-8")
    (part / HTML).write_text(evaluation_html(page), encoding="utf-8")
    (part / PDF).write_bytes(evaluation_pdf(page))
    if folder.exists():
        shutil.rmtree(folder)
    part.rename(folder)
    return folder / JSON, folder / HTML, folder / PDF
