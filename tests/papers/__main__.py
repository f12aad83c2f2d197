"""``python -m tests.papers`` writes ``docs/papers.md`` anew."""

from __future__ import annotations

from pathlib import Path

from tests.papers.table import table

if __name__ == "__main__":
    (Path(__file__).resolve().parents[2] / "docs" / "papers.md").write_text(table(), encoding="utf-8")
