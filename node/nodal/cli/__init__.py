"""The command line: one module for each kind of command, all on one Typer application."""

from nodal.cli import accepting, cohorts, judging, service, studies, training
from nodal.cli.app import app, main

__all__ = ["accepting", "app", "cohorts", "judging", "main", "service", "studies", "training"]
