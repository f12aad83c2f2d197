"""Commands of the running node."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from nodal import __version__
from nodal.cli.app import Config, Json, app, out, read_settings, show_json

__all__ = ["audit", "cancel", "doctor", "jobs", "retry", "serve", "version"]


@app.command()
def serve(config: Config = None) -> None:
    """Runs the node: listener, workers and HTTP API, until it is told to stop.

    Example: `nodal serve --config config/node.yaml`
    """
    from nodal.serve import serve as serve_node

    serve_node(read_settings(config))


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

    with NodeService.beside(read_settings(config)) as service:
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

    with NodeService.beside(read_settings(config)) as service:
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

    settings = read_settings(config)
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

    checks = examine_node(read_settings(config))
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
