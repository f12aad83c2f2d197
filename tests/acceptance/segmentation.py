"""Lesion segmenters on both generators, and the gap between them: figures as JSON, and the tables of a page.

python -m tests.acceptance.segmentation --bundle DIR --anatomy DIR [--plain DIR] --out DIR [--patients 80] [--page FILE]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from lymphoma.logs import log_to_stderr
from lymphoma.segmentation.evaluate import generator_a, judge, methods_of, options, report
from lymphoma.segmentation.evaluated import Kept, tables_of
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Case, Subject

from tests.generator_b.patient import GENERATOR, build

__all__ = ["BEGIN", "END", "GeneratorB", "main", "with_tables"]

FIRST_SEED = 4_500
"""Of the patients of generator B on whom the shared networks are judged; nothing is fitted on any of them."""
SPACING_MM = 4.0

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
"""Between these lines of a page stand the tables."""


@dataclass(frozen=True)
class GeneratorB:
    """Patients of the second generator as a cohort: each is made when it is loaded, none is kept."""

    patients: int
    first_seed: int = FIRST_SEED
    spacing_mm: float = SPACING_MM
    name: str = "generator B"

    @property
    def virtual(self) -> bool:
        return True

    @cached_property
    def subjects(self) -> Sequence[Subject]:
        seeds = range(self.first_seed, self.first_seed + self.patients)
        return tuple(
            Subject(f"B{seed:06d}", "generator B", ClinicalFactors(), None, None, self._content(seed)) for seed in seeds
        )

    def load(self, subject: Subject) -> Case:
        return build(int(subject.patient_id[1:]), self.spacing_mm).case()

    def _content(self, seed: int) -> str:
        return f"{GENERATOR}-{seed}-{self.spacing_mm:g}"


def with_tables(page: str, tables: str) -> str:
    """A page with its tables replaced.

    Raises:
        ValueError: the page has no place for them.
    """
    before, began, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not began or not ended:
        raise ValueError(f"the page has no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def main(arguments: list[str] | None = None) -> int:
    parser: argparse.ArgumentParser = options("tests.acceptance.segmentation")
    parser.add_argument("--page", type=Path, help="a page whose tables are written anew")
    given = parser.parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    methods, engine = methods_of(given)
    cohorts = {"a": generator_a(given.patients), "b": GeneratorB(given.patients)}
    judged = {
        cohort.name: judge(cohort, methods, engine, Kept(given.out / "patients" / folder))
        for folder, cohort in cohorts.items()
    }
    tables = tables_of(report(judged, methods, given.out))
    if given.page:
        given.page.write_text(with_tables(given.page.read_text(encoding="utf-8"), tables), encoding="utf-8")
    sys.stdout.write(tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
