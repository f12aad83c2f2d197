"""Which cells are run, the most telling first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lymphoma.lamp.pilot.cells import BASELINES, Cell, Control
from lymphoma.lamp.pilot.features import Encoding
from lymphoma.lamp.pilot.patients import PLAIN_WORST

__all__ = ["REPETITIONS", "SIZES", "planned", "quick"]

SIZES = (160, 1000, 5000)
"""The paper's cohort, a large one, and as many as show what a head could learn at all."""
REPETITIONS = (1, 2, 3, 4, 5)
FEW_REPETITIONS = 3
"""With which nothing rests on one draw of patients, and intervals over them can be told."""
PERMUTATIONS = 40
"""Of the outcomes, a repetition: one alone scatters from .38 to .62."""

POSITIVE = ("mean", "abmla", "abmla_from_zero", "extension_mean", "extension_abmla")
FEW_POSITIVE = ("mean", "abmla", "extension_mean", "extension_abmla")
"""Without the arm that starts at 0: it never settles, and inner folds make it five times as long."""
CORE = ("mean", "abmla", "full", "extension_abmla", "extension", "mean_lacf", "organs_shuffled")
FURTHER = (
    "paper",
    "extension_mean",
    "organs_mean",
    "mlp",
    "max",
    "extension_cox",
    "extension_burden",
    "abmla_from_zero",
    "abmla_80_updates",
)


@dataclass(frozen=True)
class _Block:
    """Every combination of its fields; its control cells are drawn ``draws`` times."""

    encoding: Encoding
    modes: tuple[str, ...]
    sizes: tuple[int, ...]
    arms: tuple[str, ...]
    control: Control = ""
    draws: int = 1

    def cells(self, repetition: int) -> Iterator[Cell]:
        for mode in self.modes:
            for size in self.sizes:
                for arm in self.arms:
                    for draw in range(self.draws):
                        yield Cell(self.encoding, mode, size, arm, repetition, self.control, draw)


ABLATION = (
    "mean",
    "max",
    "abmla",
    "mean_lacf",
    "full",
    "organs_shuffled",
    "organs_mean",
    "mlp",
    "extension_abmla",
    "extension",
)
"""The ablation table: each part of LAMP left out, or something else of its size in its place."""
ENDS = (5000, 160)
FIRST_TIERS = 3
"""The positive control and the ablation table, in as many repetitions as an interval needs before all others."""
TIERS: tuple[tuple[_Block, ...], ...] = (
    (
        _Block("clean", (PLAIN_WORST, "worst_lesion"), (5000,), POSITIVE),
        _Block("linear", ("worst_lesion", "non_lesion"), (5000,), ABLATION),
    ),
    (_Block("linear", ("worst_lesion", "non_lesion"), (160,), ABLATION),),
    (_Block("linear", ("worst_lesion", "non_lesion"), (1000,), ABLATION),),
    (
        _Block("clean", (PLAIN_WORST, "worst_lesion"), (5000,), POSITIVE),
        _Block("linear", ("worst_lesion", "location", "non_lesion"), (5000,), CORE),
        _Block("linear", ("worst_lesion", "location", "non_lesion"), (160,), CORE),
        _Block("clean", (PLAIN_WORST, "worst_lesion"), (160,), FEW_POSITIVE),
    ),
    (
        _Block("linear", ("worst_lesion", "location", "non_lesion"), ENDS, FURTHER),
        _Block("linear", ("burden", "null"), ENDS, ("mean", "abmla", "full", "extension", "extension_burden")),
        _Block("linear", ("worst_lesion",), (160,), ("extension", "extension_mean"), "permuted", PERMUTATIONS),
        _Block("linear", ("worst_lesion",), (5000,), ("full", "extension"), "lesions_shuffled"),
        _Block(
            "nonlinear",
            ("worst_lesion",),
            ENDS,
            ("mean", "abmla", "extension_mean", "extension_abmla", "full", "extension"),
        ),
    ),
    (
        _Block("clean", (PLAIN_WORST, "worst_lesion"), (1000,), FEW_POSITIVE),
        _Block("linear", ("worst_lesion", "location", "non_lesion"), (1000,), CORE),
        _Block(
            "nonlinear",
            ("worst_lesion",),
            (1000,),
            ("mean", "abmla", "extension_mean", "extension_abmla", "full", "extension"),
        ),
        _Block("linear", ("texture",), ENDS, CORE),
        _Block("linear", ("worst_lesion", "location", "non_lesion"), (1000,), FURTHER),
        _Block("linear", ("worst_lesion",), (160,), ("full",), "permuted", PERMUTATIONS),
    ),
)
QUICK: tuple[tuple[_Block, ...], ...] = (
    (
        _Block("clean", (PLAIN_WORST,), (200,), ("mean", "extension_abmla")),
        _Block("linear", ("null",), (200,), ("paper",)),
    ),
)


def planned(repetitions: Sequence[int] = REPETITIONS) -> Iterator[Cell]:
    """All cells, each once: what is asked first in as few repetitions as an interval needs; then tier by tier, and
    within a tier repetition by repetition."""
    seen: set[str] = set()
    few = [one for one in repetitions if one <= FEW_REPETITIONS]
    for cell in (*_in_order(TIERS[:FIRST_TIERS], few), *_in_order(TIERS, repetitions)):
        if cell.name not in seen:
            seen.add(cell.name)
            yield cell


def quick() -> Iterator[Cell]:
    """A few small cells, to see that everything works."""
    yield from _in_order(QUICK, (1, 2))


def _in_order(tiers: tuple[tuple[_Block, ...], ...], repetitions: Sequence[int]) -> Iterator[Cell]:
    judged: set[tuple[str, int]] = set()
    for tier in tiers:
        for repetition in repetitions:
            for block in tier:
                for cell in block.cells(repetition):
                    if (cell.mode, repetition) not in judged:
                        judged.add((cell.mode, repetition))
                        for name in BASELINES:
                            yield Cell("", cell.mode, 0, name, repetition)
                    yield cell
