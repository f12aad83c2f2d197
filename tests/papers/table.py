"""``docs/papers.md`` from the statements and their tests."""

from __future__ import annotations

from tests.papers.statements import Paper, Statement, read_papers, statements_tested

__all__ = ["table"]

HEAD = """# The papers, statement by statement

Made by `python -m tests.papers`; a test fails when this page is not what the command makes, and when a statement has no
test. *same*: as printed. *filled*: the paper leaves it open and we chose. *deviating*: otherwise than printed.
"""


def table() -> str:
    """The whole page."""
    tests = statements_tested()
    return HEAD + "".join(_section(paper, tests) for paper in read_papers())


def _section(paper: Paper, tests: dict[str, list[str]]) -> str:
    rows = "".join(_row(one, tests.get(one.id, [])) for one in paper.statements)
    head = "| where | the paper | here | code | tests |\n|---|---|---|---|---|\n"
    return f"\n## {paper.name}\n\n{paper.title}\n\n{head}{rows}"


def _row(one: Statement, tests: list[str]) -> str:
    here = f"{one.stands}: {one.why}" if one.why else one.stands
    named = "<br>".join(f"`{name.removeprefix('tests/').removeprefix('unit/')}`" for name in tests)
    return f"| {one.where} | {one.says} | {here} | `{one.code}` | {named} |\n"
