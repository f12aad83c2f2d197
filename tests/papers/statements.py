"""The statements of the papers, and the tests that claim them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import TypeAdapter

__all__ = ["Paper", "Statement", "read_papers", "statements_tested"]

TESTS = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Statement:
    """One thing that a paper fixes.

    Attributes:
        id: ``<paper>-<word>``, used by the tests. where: equation, section or table. says: in our words.
        stands: as printed; a gap that we filled; or otherwise than printed. why: for the latter two.
        code: file or folder in the repository.
    """

    id: str
    where: str
    says: str
    stands: Literal["same", "filled", "deviating"]
    code: str
    why: str = ""

    def __post_init__(self) -> None:
        if (self.stands == "same") == bool(self.why):
            raise ValueError(f"{self.id}: what is filled or deviates says why, and nothing else does")


@dataclass(frozen=True)
class Paper:
    """A paper with its statements in its own order."""

    name: str
    title: str
    statements: tuple[Statement, ...]


def read_papers() -> tuple[Paper, ...]:
    """All papers of this folder.

    Raises:
        ValueError: two statements share an id.
    """
    reader = TypeAdapter(Paper)
    papers = tuple(
        reader.validate_python(yaml.safe_load(path.read_text("utf-8"))) for path in sorted(HERE.glob("*.yaml"))
    )
    ids = [one.id for paper in papers for one in paper.statements]
    if len(set(ids)) != len(ids):
        raise ValueError("two statements share an id")
    return papers


def statements_tested() -> dict[str, list[str]]:
    """Id -> names of the tests that claim it, as ``file::function``, found without running anything."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for claimed in _claims(function):
                    name = f"{path.relative_to(TESTS.parent)}::{function.name}"
                    found.setdefault(claimed, []).append(name)
    return found


def _claims(function: ast.FunctionDef) -> Iterator[str]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "paper":
            for given in mark.args:
                yield str(ast.literal_eval(given))
