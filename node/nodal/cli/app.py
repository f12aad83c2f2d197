"""The command line. Results go to stdout (a table, or JSON with ``--json``), logs and progress to stderr.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused (the study or header is unusable).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from lymphoma.errors import CannotDo, TrainingFailed
from rich.console import Console

from nodal import logs
from nodal.errors import Code, Failed, NodalError, Refused
from nodal.settings import Settings, load_settings

__all__ = ["Config", "Json", "app", "err", "main", "out", "read_settings", "say_error", "show_json"]

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
    except (NodalError, CannotDo) as fault:
        error = fault if isinstance(fault, NodalError) else _in_the_nodes_words(fault)
        say_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)


def _in_the_nodes_words(fault: CannotDo) -> NodalError:
    """A refusal of the science: what was given is unusable, except where a training itself went wrong."""
    if isinstance(fault, TrainingFailed):
        return Failed(Code(fault.code), fault.reason)
    return Refused(Code(fault.code), fault.reason)


def say_error(error: NodalError, *, as_json: bool) -> None:
    word = "refused" if isinstance(error, Refused) else "failed"
    if as_json:
        show_json({word: {"code": str(error.code), "message": error.message}})
    else:
        err.print(f"[bold red]{word}[/] {error.code}: {error.message}", highlight=False)


def show_json(value: Any) -> None:
    """JSON on stdout, nothing else."""
    out.file.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def read_settings(config: Path | None) -> Settings:
    logs.log_to_stderr()
    return load_settings(config)
