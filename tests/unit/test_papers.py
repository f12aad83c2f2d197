"""Every statement of a paper has its test, every claim its statement, and the page is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.papers import read_papers, statements_tested, table

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
STATEMENTS = [one for paper in read_papers() for one in paper.statements]


def test_every_statement_has_a_test() -> None:
    tests = statements_tested()
    assert [one.id for one in STATEMENTS if not tests.get(one.id)] == []


def test_every_claim_names_a_statement() -> None:
    assert set(statements_tested()) <= {one.id for one in STATEMENTS}


def test_the_code_is_where_the_table_says() -> None:
    assert [one.id for one in STATEMENTS if not (ROOT / one.code).exists()] == []


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "papers.md").read_text("utf-8") == table(), "run python -m tests.papers"
