"""Commands by which a site recalibrates, accepts and combines prognosis bundles."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodal.cli.app import Config, Json, app, err, out, read_settings, show_json
from nodal.errors import WrongUsage

if TYPE_CHECKING:
    from lymphoma.evaluation.acceptance import Limits
    from lymphoma.evaluation.patients import Patients

    from nodal.settings import Settings

__all__ = ["calibrate", "combine", "qualify"]

BundleFolder = Annotated[Path, typer.Argument(help="The bundle's folder; its evidence is written.", show_default=False)]
CohortFolder = Annotated[Path, typer.Option("--cohort", help="Folder with cohort.csv.", show_default=False)]
Parts = Annotated[list[Path] | None, typer.Option("--part", help="A bundle that a combined one reads; repeatable.")]


@app.command()
def calibrate(
    bundle: BundleFolder,
    cohort: CohortFolder,
    by: Annotated[str | None, typer.Option(help="Who answers for it; else the login name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the correction, write nothing.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Corrects a bundle's survival to a site's patients by an intercept and a slope; 100 events or more are needed.

    Example: `nodal calibrate ./bundles/site --cohort ./cohort --by "A. Physician"`
    """
    from nodal.evaluation.calibrate import calibrate as run
    from nodal.evaluation.opening import now
    from nodal.evaluation.show import calibration_tables

    patients = _patients(cohort, [bundle], read_settings(config))
    with err.status("fitting"):
        found = run(bundle, patients, by=by or getpass.getuser(), at=now(), write=not dry_run)
    if as_json:
        show_json(asdict(found))
        return
    for table in calibration_tables(found):
        out.print(table)
    if found.needs_acceptance:
        out.print("The bundle now says something else: it is used again after a passed acceptance run (nodal qualify).")


@app.command()
def qualify(
    bundle: BundleFolder,
    cohort: CohortFolder,
    by: Annotated[str, typer.Option(help="Who answers for the acceptance.", show_default=False)],
    limit: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER in place of a default; repeatable.")] = None,
    part: Parts = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Runs a bundle on a site's patients and writes the signed result into it; exits 1 where it was not passed.

    Example: `nodal qualify ./bundles/site --cohort ./cohort --by "A. Physician" --limit events=80`
    """
    from nodal.evaluation.opening import now
    from nodal.evaluation.qualify import qualify as run
    from nodal.evaluation.show import acceptance_table
    from nodal.prognosis.site_key import make_site_key

    limits = _limits(limit or [])
    if not by.strip():
        raise WrongUsage("--by names the person who answers for the acceptance")
    settings = read_settings(config)
    patients = _patients(cohort, [bundle, *(part or ())], settings)
    key = make_site_key(settings.state_dir)
    with err.status("judging"):
        found = run(bundle, patients, key, by=by, at=now(), limits=limits, parts=part or ())
    if as_json:
        show_json(asdict(found))
    else:
        out.print(acceptance_table(found))
        out.print(f"kept as {found.report}", highlight=False)
    if not found.acceptance.passed:
        raise typer.Exit(1)


@app.command()
def combine(
    bundles: Annotated[list[Path], typer.Argument(help="Bundles of different systems.", show_default=False)],
    cohort: CohortFolder,
    out_dir: Annotated[Path, typer.Option("--out", help="The new bundle's folder.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="Of the new bundle; else its folder's name.")] = None,
    seed: Annotated[int, typer.Option(help="Of the folds; the same seed gives the same weights.", min=0)] = 0,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Makes one score of several systems and the IMPI, with a sub-model for whatever a patient lacks.

    Example: `nodal combine ./bundles/lamp ./bundles/site --cohort ./cohort --out ./bundles/combined`
    """
    from nodal.evaluation.combine import combine as run
    from nodal.evaluation.show import combination_table

    patients = _patients(cohort, bundles, read_settings(config))
    with _bar("sub-models") as progress:
        found = run(bundles, patients, out_dir, name=name or out_dir.resolve().name, seed=seed, progress=progress)
    if as_json:
        show_json(asdict(found))
        return
    out.print(combination_table(found))
    if found.needs_acceptance:
        out.print("The bundle is used after a passed acceptance run (nodal qualify).")


def _patients(cohort: Path, bundles: Sequence[Path], settings: Settings) -> Patients:
    """The patients of a cohort, with what the bundles compute from their images."""
    from nodal.evaluation.image_scores import with_image_scores
    from nodal.evaluation.opening import open_bundle
    from nodal.evaluation.patients import patients_of

    opened = [open_bundle(folder) for folder in bundles]
    with _bar("patients") as progress:
        patients = patients_of(cohort, settings, progress)
    with _bar("images") as progress:
        return with_image_scores(patients, opened, cohort, settings, progress).patients


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, as a function of (done, of)."""
    from rich.progress import Progress

    with Progress(console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _limits(given: list[str]) -> Limits:
    from lymphoma.evaluation.acceptance import Limits

    defaults = asdict(Limits())
    values: dict[str, float] = {}
    for one in given:
        name, _, number = one.partition("=")
        if name not in defaults:
            raise WrongUsage(f"--limit {name}: none of {', '.join(defaults)}")
        try:
            values[name] = float(number)
        except ValueError as error:
            raise WrongUsage(f"--limit {one}: {number!r} is not a number") from error
    try:
        return Limits(**values)
    except ValueError as error:
        raise WrongUsage(f"--limit: {error}") from error
