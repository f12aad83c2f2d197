"""Commands that make, check and import cohort folders."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from nodal import logs
from nodal.cli.app import Config, Json, app, err, out, read_settings, say_error, show_json
from nodal.errors import Code, Refused, WrongUsage

__all__ = ["cohort", "import_cohort", "simulate"]


@app.command()
def simulate(
    out_dir: Annotated[Path, typer.Option("--out", help="The cohort folder; made if missing.")],
    patients: Annotated[int, typer.Option(help="How many virtual patients.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Of the first; the same seed gives the same bytes.", min=0)] = 1,
    set_name: Annotated[str | None, typer.Option("--set", help="One of the project's own sets, seeds and all.")] = None,
    variety: Annotated[
        str, typer.Option(help="plain: one clean scanner; hospital: several; training: faults.")
    ] = "plain",
    nifti: Annotated[bool, typer.Option("--nifti", help="NIfTI pairs on a 4 mm grid in place of DICOM.")] = False,
    features_only: Annotated[bool, typer.Option("--features-only", help="Feature vectors, no images.")] = False,
    mode: Annotated[str, typer.Option(help="Where the risk comes from: mixed, worst_lesion, null, ...")] = "mixed",
    sigma: Annotated[float, typer.Option(help="SD of the log hazard ratio.", min=0)] = 1.0,
    draw: Annotated[int, typer.Option(help="Redraws times and censoring at the same true risk.", min=0)] = 0,
    workers: Annotated[int, typer.Option(help="Processes; 0 is one for each core.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Makes virtual patients as a cohort folder, with true lesions, organs, risk and outcomes beside.

    Example: `nodal simulate --patients 2 --out ./virtual --seed 7`
    """
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from nodal.simulate import Mechanism, Order, order_of_set
    from nodal.simulate import simulate as simulate_patients

    logs.log_to_stderr()
    mechanism = Mechanism(mode, sigma, draw)
    if set_name is None:
        kind: Literal["none", "nifti", "dicom"] = "none" if features_only else "nifti" if nifti else "dicom"
        order = Order(range(seed, seed + patients), out_dir, variety, kind, mechanism=mechanism)
    else:
        order = order_of_set(set_name, out_dir, mechanism)
    with Progress(*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn(), console=err) as bar:
        task = bar.add_task("virtual patients", total=len(order.seeds))
        processes = workers or os.cpu_count() or 1
        made = simulate_patients(order, workers=processes, progress=lambda done, _: bar.update(task, completed=done))
    if as_json:
        keys = ("seed", "patient_id", "study", "reference")
        show_json([{key: getattr(patient, key) for key in keys} for patient in made])
    else:
        for patient in made:
            out.print(str(patient.study), highlight=False)
        out.print(str(out_dir / "cohort.csv"), highlight=False)


@app.command()
def cohort(
    folder: Annotated[Path, typer.Argument(help="Folder with cohort.csv and the studies it names.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Checks a cohort folder: who can be used for what, and why the others cannot. Exits 3 when nobody can.

    Example: `nodal cohort ./cohort`
    """
    from rich.progress import Progress

    from nodal.cohort.check import check_cohort
    from nodal.cohort.show import cohort_table

    settings = read_settings(config)
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("patients", total=None)
        report = check_cohort(
            folder, settings, progress=lambda done, of: progress.update(task, completed=done, total=of)
        )
    error = Refused(Code.NO_USABLE_PATIENT, f"none of {report.summary.rows} patients can be used")
    nobody = report.summary.usable == 0
    if as_json:
        refused = {"refused": {"code": error.code, "message": error.message}} if nobody else {}
        show_json({**refused, **asdict(report)})
    else:
        out.print(cohort_table(report))
        if nobody:
            say_error(error, as_json=False)
    if nobody:
        raise typer.Exit(error.exit_code)


@app.command("import-cohort")
def import_cohort(
    kind: Annotated[str, typer.Argument(help="autopet, hecktor or tcia.")],
    source: Annotated[Path, typer.Argument(help="The data set's folder as its publisher lays it out.")],
    out_dir: Annotated[Path, typer.Option("--out", help="The cohort folder; made if missing, else empty.")],
    only: Annotated[str | None, typer.Option(help="A diagnosis, such as lymphoma (autopet).")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the files in place of links.")] = False,
    as_json: Json = False,
) -> None:
    """Makes a cohort folder of a published data set; what the source does not tell stays empty.

    Example: `nodal import-cohort autopet ./FDG-PET-CT-Lesions --out ./cohort --only lymphoma`
    """
    from typing import get_args

    from nodal.cohort import importers

    logs.log_to_stderr()
    if kind not in get_args(importers.Source):
        raise WrongUsage(f"{kind} is not one of {', '.join(get_args(importers.Source))}")
    with err.status("importing"):
        report = importers.import_cohort(kind, source, out_dir, only=only, copy=copy)  # type: ignore[arg-type]
    if as_json:
        show_json(asdict(report))
    else:
        for passed in report.passed_over:
            out.print(f"passed over {passed.what}: {passed.reason}", highlight=False)
        out.print(f"{report.patients} patients, {report.references} with a contour. {report.note}", highlight=False)
