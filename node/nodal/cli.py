"""The command line. Results go to stdout (a table, or JSON with ``--json``), logs and progress to stderr.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused (the study or header is unusable).
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from nodal import __version__
from nodal.errors import Code, NodalError, Refused, WrongUsage
from nodal.logs import log_to_stderr
from nodal.settings import Settings, load_settings
from nodal.study import ClinicalRecord

__all__ = ["app", "main"]

app = typer.Typer(
    help="Nodal: a PACS node for lymphoma. FDG PET/CT in; DICOM SEG, SR and PDF out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
out = Console()
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file (YAML).", show_default=False)]


def main() -> None:
    """Entry point of ``nodal``: every error of the node becomes its code, its sentence and its exit code."""
    try:
        app()
    except NodalError as error:
        _say_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)


def _say_error(error: NodalError, *, as_json: bool) -> None:
    word = "refused" if isinstance(error, Refused) else "failed"
    if as_json:
        show_json({word: {"code": str(error.code), "message": error.message}})
    else:
        err.print(f"[bold red]{word}[/] {error.code}: {error.message}", highlight=False)


def show_json(value: Any) -> None:
    """JSON on stdout, nothing else."""
    out.file.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def _settings(config: Path | None) -> Settings:
    log_to_stderr()
    return load_settings(config)


def _clinical(path: Path | None) -> ClinicalRecord | None:
    """A clinical record from a JSON or YAML file of its fields."""
    import yaml

    if path is None:
        return None
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        record = TypeAdapter(ClinicalRecord).validate_python(fields, extra="forbid")
    except OSError as error:
        raise WrongUsage(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise WrongUsage(f"{path} is not a clinical record: {error}") from error
    sources = {name: "file" for name in fields if name not in ("sources", "entered_at", "timepoint")}
    return ClinicalRecord(**{**asdict(record), "sources": {**sources, **record.sources}})


@app.command()
def process(
    study: Annotated[Path, typer.Argument(help="Folder with the study's DICOM files, any names, any depth.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the results; made if missing.")],
    clinical: Annotated[Path | None, typer.Option(help="Clinical record, JSON or YAML.")] = None,
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
    from nodal.jobs.process import process_folder

    settings = _settings(config)
    if device not in ("auto", "cpu", "cuda"):
        raise WrongUsage("--device is auto, cpu or cuda")
    with err.status("reading the study") as status:
        findings = process_folder(
            study,
            out_dir,
            settings,
            clinical=_clinical(clinical),
            systems=tuple(systems.split(",")) if systems else None,
            reference=reference,
            anatomy=_given_anatomy(organs),
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

    settings = _settings(config)
    show_json(asdict(suv_summary(series, mask, assume_bw=settings.suv.assume_bw)))


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

    log_to_stderr()
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

    settings = _settings(config)
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
            _say_error(error, as_json=False)
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

    log_to_stderr()
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


@app.command()
def serve(config: Config = None) -> None:
    """Runs the node: listener, workers and HTTP API, until it is told to stop.

    Example: `nodal serve --config config/node.yaml`
    """
    from nodal.serve import serve as serve_node

    serve_node(_settings(config))


@app.command()
def jobs(
    study: Annotated[str | None, typer.Option(help="Study Instance UID.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Lists what the node did and is doing.

    Example: `nodal jobs --config config/node.yaml --json`
    """
    from nodal import show
    from nodal.jobs.service import NodeService

    with NodeService.beside(_settings(config)) as service:
        known = service.jobs(study)
    if as_json:
        show_json([asdict(job) for job in known])
    else:
        out.print(show.jobs_table(known))


@app.command()
def retry(job: Annotated[str, typer.Argument(help="Job id.")], config: Config = None, as_json: Json = False) -> None:
    """Runs a failed, refused or parked job again from where it stopped.

    Example: `nodal retry 0f3c...-r0`
    """
    _act("retry", job, config, as_json)


@app.command()
def cancel(job: Annotated[str, typer.Argument(help="Job id.")], config: Config = None, as_json: Json = False) -> None:
    """Stops a job; what was delivered stays delivered.

    Example: `nodal cancel 0f3c...-r0`
    """
    _act("cancel", job, config, as_json)


def _act(verb: str, job_id: str, config: Path | None, as_json: bool) -> None:
    from nodal.jobs.service import NodeService

    with NodeService.beside(_settings(config)) as service:
        view = getattr(service, verb)(job_id)
    if as_json:
        show_json(asdict(view))
    else:
        out.print(f"{view.job_id} {view.state}", highlight=False)


@app.command()
def audit(
    job: Annotated[str | None, typer.Option(help="Job id.")] = None,
    study: Annotated[str | None, typer.Option(help="Study Instance UID.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Prints the trail: everything the node did, in order.

    Example: `nodal audit --job 0f3c...-r0`
    """
    from nodal import show
    from nodal.audit import Trail

    settings = _settings(config)
    events = list(Trail(settings.state_dir / "audit").events(job_id=job, study_instance_uid=study))
    if as_json:
        show_json([asdict(event) for event in events])
    else:
        out.print(show.audit_table(events))


@app.command()
def doctor(config: Config = None, as_json: Json = False) -> None:
    """Checks settings, ports, destinations, Orthanc, processor, bundles and disk; exits 1 if anything is wrong.

    Example: `nodal doctor --config config/node.yaml`
    """
    from nodal import show
    from nodal.doctor import examine_node

    checks = examine_node(_settings(config))
    if as_json:
        show_json([asdict(check) for check in checks])
    else:
        out.print(show.doctor_table(checks))
    if any(check.state == "wrong" for check in checks):
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Prints the version. Example: `nodal version`"""
    out.print(__version__, highlight=False)
