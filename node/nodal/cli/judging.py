"""Commands that judge prognosis bundles on a cohort."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nodal.cli.app import Config, Json, app, err, out, read_settings, show_json
from nodal.cli.options import ENDPOINTS_OF, EndpointChoice
from nodal.errors import WrongUsage

if TYPE_CHECKING:
    from lymphoma.evaluation.protocols import Protocol
    from lymphoma.evaluation.result import EndpointResult, Estimate
    from rich.table import Table

    from nodal.evaluation.judge import Judgement

__all__ = ["evaluate"]


class _Protocol(StrEnum):
    CV5 = "cv5"
    CV10 = "cv10"
    SPLIT73 = "split73"
    CENTRES = "centres"
    AS_IS = "as-is"


@app.command()
def evaluate(
    cohort: Annotated[Path, typer.Option(help="Cohort folder with cohort.csv.", show_default=False)],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of the report; an earlier report there is replaced.")],
    bundles: Annotated[
        list[Path] | None, typer.Argument(help="Bundle folders; none judges the baselines alone.", show_default=False)
    ] = None,
    protocol: Annotated[
        _Protocol,
        typer.Option(help="5 or 10 folds, a 7:3 split, every centre by the others, or bundles as they are."),
    ] = _Protocol.CV5,
    centre: Annotated[
        str | None, typer.Option(help="One centre, tested by what the others trained; in place of --protocol.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Of the folds or the split, each time with others.", min=1)] = 1,
    endpoint: Annotated[EndpointChoice, typer.Option(help="Which endpoints to judge.")] = EndpointChoice.BOTH,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap, for the intervals.", min=100)] = 1000,
    permutations: Annotated[int, typer.Option(help="Of the control; 0 leaves it out.", min=0)] = 20,
    seed: Annotated[int, typer.Option(help="Of folds, resamples and permutations.", min=0)] = 0,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Judges bundles beside the published indices on a cohort: HTML, PDF, and every number as JSON.

    Example: `nodal evaluate ./bundles/site --cohort ./cohort --out ./evaluation`
    """
    from lymphoma.evaluation.evaluate import Options

    from nodal.evaluation.judge import Order, judge_cohort

    settings = read_settings(config)
    options = Options(_asked(protocol, centre, repeats), ENDPOINTS_OF[endpoint], resamples, permutations, seed)
    with _bar() as progress:
        found = judge_cohort(Order(bundles or (), cohort, out_dir, options), settings, progress)
    if as_json:
        show_json(_summary(found))
        return
    for result in found.evaluation.endpoints:
        out.print(_table(result))
        for one in result.added:
            out.print(one.verdict.sentence, highlight=False, soft_wrap=True)
    for file in found.files:
        out.print(str(file), highlight=False, soft_wrap=True)


def _asked(protocol: _Protocol, centre: str | None, repeats: int) -> Protocol:
    from lymphoma.evaluation.protocols import Protocol

    if centre is not None:
        asked = Protocol("centre", centre=centre)
    else:
        asked = {
            _Protocol.CV5: Protocol(folds=5),
            _Protocol.CV10: Protocol(folds=10),
            _Protocol.SPLIT73: Protocol("split"),
            _Protocol.CENTRES: Protocol("centres"),
            _Protocol.AS_IS: Protocol("as_is"),
        }[protocol]
    if repeats == 1:
        return asked
    if asked.kind not in ("cross_validation", "split"):
        raise WrongUsage("--repeats goes with cv5, cv10 and split73 alone")
    return Protocol(asked.kind, folds=asked.folds, repeats=repeats)


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr for the patients and one for the evaluation, whose words tell what is being done."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description:<32}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as bar:
        patients = bar.add_task("patients", total=None)
        judging = bar.add_task("evaluation", total=None)

        def show(what: str, done: int, of: int) -> None:
            if what == "patients":
                bar.update(patients, completed=done, total=of)
            else:
                bar.update(judging, completed=done, total=of, description=what)

        yield show


def _table(result: EndpointResult) -> Table:
    from rich.table import Table

    title = f"{result.endpoint.upper()}: {result.n} patients, {result.events} events, {result.protocol.label}"
    table = Table("model", "Harrell's C", "integrated Brier", "slope", title=title)
    done = {one.model.key: one for one in result.results}
    for model in result.models:
        one = done.get(model.key)
        if one is None:
            table.add_row(model.label, model.problem or "not compared", "", "")
            continue
        figures = (one.discrimination.harrell, one.accuracy.integrated, one.calibration.slope)
        table.add_row(model.label, *(_said(each) for each in figures))
    return table


def _said(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    ends = "" if estimate.lower is None else f" ({estimate.lower:.3f} to {estimate.upper:.3f})"
    return f"{estimate.value:.3f}{ends}"


def _summary(found: Judgement) -> dict[str, Any]:
    """What the table shows; every number stands in the report's JSON."""
    from dataclasses import asdict

    def models(result: EndpointResult) -> list[dict[str, Any]]:
        return [
            {
                "model": one.model.key,
                "harrell": asdict(one.discrimination.harrell),
                "integrated_brier": asdict(one.accuracy.integrated),
                "slope": asdict(one.calibration.slope),
            }
            for one in result.results
        ]

    endpoints = [
        {
            "endpoint": result.endpoint,
            "protocol": result.protocol.label,
            "n": result.n,
            "events": result.events,
            "models": models(result),
            "not_compared": [{"model": m.key, "problem": m.problem} for m in result.models if not m.compared],
            "added": [{"model": a.model, **asdict(a.verdict)} for a in result.added],
        }
        for result in found.evaluation.endpoints
    ]
    return {"cohort": found.evaluation.cohort, "virtual": found.evaluation.virtual, "endpoints": endpoints,
            "files": [str(file) for file in found.files]}  # fmt: skip
