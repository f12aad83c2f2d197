"""The command line: one module for each kind of command, all on one Typer application."""

from nodal.cli import cohorts, models, service, studies
from nodal.cli.app import app, main

__all__ = ["app", "cohorts", "main", "models", "service", "studies"]
