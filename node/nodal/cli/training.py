"""Commands that train a prognosis bundle on a cohort."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nodal.cli.app import Config, Json, app, err, out, read_settings, show_json
from nodal.cli.options import ENDPOINTS_OF, EndpointChoice

if TYPE_CHECKING:
    from lymphoma.prognosis.model import CutOffRule
    from rich.table import Table

    from nodal.evaluation.train import EndpointResult, TrainingResult

__all__ = ["train"]


class _Groups(StrEnum):
    YOUDEN = "youden"
    TERCILES = "terciles"


_RULES: dict[_Groups, CutOffRule] = {_Groups.YOUDEN: "youden_24m", _Groups.TERCILES: "terciles"}


@app.command()
def train(
    system: Annotated[
        str, typer.Argument(help="What to train: site (the clinical PET model), or a system that learns from images.")
    ],
    cohort: Annotated[Path, typer.Option(help="Cohort folder with cohort.csv.")],
    out_dir: Annotated[Path, typer.Option("--out", help="The bundle folder; must not be there yet.")],
    name: Annotated[str, typer.Option(help="Name of the bundle; else the system's and the cohort's.")] = "",
    endpoint: Annotated[EndpointChoice, typer.Option(help="Which endpoints to fit.")] = EndpointChoice.BOTH,
    groups: Annotated[
        _Groups, typer.Option(help="Risk groups: two by Youden's index at 24 months, or three.")
    ] = _Groups.YOUDEN,
    seed: Annotated[int, typer.Option(help="Of folds and resamples.", min=0)] = 0,
    without_out_of_fold: Annotated[
        bool, typer.Option("--without-out-of-fold", help="Leave out the training patients' predictions.")
    ] = False,
    training_file: Annotated[
        Path | None, typer.Option("--training", help="A train.yaml in place of the system's shipped one.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Fits a system on a cohort folder, cross-validated, and writes it as a bundle.

    Example: `nodal train site --cohort ./cohort --out ./bundles/site`
    """
    from rich.progress import Progress

    from nodal.evaluation.train import Training
    from nodal.evaluation.train import train as train_system

    settings = read_settings(config)
    rule = _RULES[groups]
    training = Training(
        system,
        cohort,
        out_dir,
        name,
        ENDPOINTS_OF[endpoint],
        rule,
        seed,
        not without_out_of_fold,
        config=training_file,
    )
    with Progress(console=err, transient=True) as progress:
        tasks = {what: progress.add_task(what, total=None) for what in ("patients", "features", "inputs", "models")}
        result = train_system(
            training, settings, lambda what, done, of: progress.update(tasks[what], completed=done, total=of)
        )
    if as_json:
        show_json(asdict(result))
        return
    out.print(_table(result))
    for line in _words(result):
        out.print(line, highlight=False)


def _table(result: TrainingResult) -> Table:
    from rich.table import Table

    table = Table(title=f"{result.name}: level {result.evidence}, digest {result.digest[:12]}")
    table.add_column("")
    for one in result.endpoints:
        table.add_column(one.endpoint.upper())
    for head, *cells in zip(_HEADS, *(_cells(one) for one in result.endpoints), strict=True):
        table.add_row(head, *cells)
    return table


_HEADS = (
    "patients, events",
    "left out for a missing value",
    "covariates",
    "Harrell's C, out of fold",
    "calibration slope, out of fold",
    "cut-offs of the linear predictor",
    "survival at months",
)


def _cells(one: EndpointResult) -> tuple[str, ...]:
    return (
        f"{one.n}, {one.events}",
        str(one.left_out),
        "\n".join(one.covariates),
        _interval(one.harrell_c),
        _interval(one.calibration_slope),
        ", ".join(f"{cut:.3f}" for cut in one.cutoffs) or "none better than chance",
        ", ".join(f"{months:g}" for months in one.horizons_months) or "none",
    )


def _interval(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.3f} ({found[1]:.3f} to {found[2]:.3f})"


def _words(result: TrainingResult) -> list[str]:
    lines = [result.origins.sentence]
    lines += [
        f"{one.endpoint.upper()}: too few events for {', '.join(one.dropped)}"
        for one in result.endpoints
        if one.dropped
    ]
    lines += [f"{endpoint.upper()}: no model, {reason}" for endpoint, reason in result.not_fitted.items()]
    if not result.trained:
        lines.append("not trained: it does not order patients better than chance, and will judge nobody")
    elif result.evidence == "E0":
        lines.append("trained on virtual patients: not for clinical use")
    else:
        lines.append("not yet accepted: `nodal qualify` runs the acceptance without which no node uses it")
    return [*lines, f"bundle: {result.bundle}"]
