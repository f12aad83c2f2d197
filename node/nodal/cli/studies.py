"""Commands on a study in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from nodal.cli.app import Config, Json, app, err, out, read_settings, show_json
from nodal.errors import WrongUsage

__all__ = ["process", "suv"]


@app.command()
def process(
    study: Annotated[Path, typer.Argument(help="Folder with the study's DICOM files, any names, any depth.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the results; made if missing.")],
    clinical: Annotated[
        Path | None, typer.Option(help="Clinical record, JSON or YAML; goes before one in the study's folder.")
    ] = None,
    systems: Annotated[str | None, typer.Option(help="Prognosis systems to run, separated by commas.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="SEG, RTSTRUCT or NIfTI contour in place of the segmenter.")
    ] = None,
    organs: Annotated[
        Path | None, typer.Option(help="Organ map on the PET grid, with names in a .json beside it.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Compute whole-body items on a partial scan, marked.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Runs the whole pipeline on a folder, without a server.

    Example: `nodal process ./study --out ./results --clinical patient.yaml`
    """
    from nodal import show
    from nodal.clinical.file import statements_of_file
    from nodal.jobs.process import process_folder

    settings = read_settings(config)
    if device not in ("auto", "cpu", "cuda"):
        raise WrongUsage("--device is auto, cpu or cuda")
    with err.status("reading the study") as status:
        findings = process_folder(
            study,
            out_dir,
            settings,
            clinical=statements_of_file(clinical) if clinical else None,
            systems=tuple(systems.split(",")) if systems else None,
            reference=reference,
            anatomy=_given_anatomy(organs),
            device=device,  # type: ignore[arg-type]  # one of the three, as was just seen
            allow_partial=allow_partial,
            progress=lambda stage: status.update(f"{stage} ..."),
        )
    if as_json:
        show_json(asdict(findings))
    else:
        out.print(show.findings_table(findings, out_dir))


def _given_anatomy(path: Path | None) -> Any:
    from lymphoma.anatomy import GivenAnatomy
    from lymphoma.imaging import Volume

    if path is None:
        return None
    names = path.with_name(path.name.split(".")[0] + ".json")
    if not (path.is_file() and names.is_file()):
        raise WrongUsage(f"--organs needs {path} and {names}")
    labels = json.loads(names.read_text(encoding="utf-8"))
    return GivenAnatomy(Volume.load(path), {int(label): name for label, name in labels.items()})


@app.command()
def suv(
    series: Annotated[Path, typer.Argument(help="Folder with one PET series.")],
    mask: Annotated[Path | None, typer.Option(help="NIfTI or RTSTRUCT that limits the statistics.")] = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON is what this command always prints.")] = True,
) -> None:
    """Converts a PET series to SUV and prints how, with its statistics, as JSON.

    Example: `nodal suv ./pet --mask liver.nii.gz`
    """
    from nodal.dicom.suv_summary import suv_summary

    settings = read_settings(config)
    show_json(asdict(suv_summary(series, mask, assume_bw=settings.suv.assume_bw)))
