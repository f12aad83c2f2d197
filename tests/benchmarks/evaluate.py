"""Seconds and memory of an evaluation: 10,000 virtual patients, 1,000 resamples, all baselines and two bundles.

Beside it, in the same run and thread, one part of it by other means: Harrell's C of one model on resamples, by
lifelines and by scikit-survival, which take the resampled patients one resample after the other.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np
from lifelines.utils import concordance_index
from lymphoma.evaluation.evaluate import Options, evaluate
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.ranking import ComparablePairs
from lymphoma.survival.follow_up import Floats, FollowUp
from rich.console import Console
from rich.table import Table
from sksurv.metrics import concordance_index_censored

from tests.unit.evaluation.virtual_cohort import virtual_patients

__all__ = ["main"]

PATIENTS, RESAMPLES, TARGET_S = 10_000, 1_000, 300.0
PEER_RESAMPLES = 3
"""The peers take seconds for each; their time is scaled up."""
BLOCK = 250


def main() -> None:
    """Prints two tables and a line of JSON."""
    console = Console()
    patients = virtual_patients(PATIENTS)
    begun = time.process_time()
    seconds, stages = _evaluation(patients)
    processor_s = time.process_time() - begun
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    title = f"Evaluation, {PATIENTS:,} patients, {RESAMPLES:,} resamples"
    table = Table("stage", "s", title=title)
    for words, spent in stages.items():
        table.add_row(words, f"{spent:.1f}")
    table.add_row(
        "all", f"{seconds:.1f} ({processor_s:.1f} of processor time; target {TARGET_S:g}; {memory_gb:.2f} GB)"
    )
    console.print(table)
    peers = _peers(patients)
    other = Table("Harrell's C of one model", "ms a resample", title="The same patients, one set")
    for name, spent in peers.items():
        other.add_row(name, f"{1000 * spent:.1f}")
    console.print(other)
    rounded = {name: round(1000 * spent, 2) for name, spent in peers.items()}
    measured = {
        "s": round(seconds, 1),
        "processor_s": round(processor_s, 1),
        "memory_gb": round(memory_gb, 2),
        "c_ms_per_resample": rounded,
    }
    console.print_json(data={"evaluate": measured})


def _evaluation(patients: Patients) -> tuple[float, dict[str, float]]:
    """Seconds in all and per stage, as the progress tells them."""
    stages: dict[str, float] = {}
    begun = last = time.perf_counter()

    def progress(done: int, of: int, words: str) -> None:
        nonlocal last
        now = time.perf_counter()
        stages[words] = stages.get(words, 0.0) + now - last
        last = now

    evaluate(patients, Options(endpoints=("pfs",), resamples=RESAMPLES), progress=progress)
    ended = time.perf_counter()
    stages["comparisons and tables"] = ended - last
    return ended - begun, stages


def _peers(patients: Patients) -> dict[str, float]:
    """Seconds per resample."""
    index = patients.known("pfs")
    follow_up = patients.follow_up("pfs", index)
    risk = patients.scores["oracle", "pfs"].linear_predictor[index]
    counts = (
        np.random.default_rng(0).multinomial(index.size, np.full(index.size, 1 / index.size), BLOCK).T.astype(float)
    )
    pairs = ComparablePairs(follow_up, np.zeros(follow_up.n))
    begun = time.perf_counter()
    found = pairs.concordance(risk[None], counts)[0][:, 0]
    own = (time.perf_counter() - begun) / BLOCK
    ways: dict[str, Callable[[FollowUp, Floats], float]] = {
        "lifelines": lambda part, r: float(concordance_index(part.months, -r, part.event)),
        "scikit-survival": lambda part, r: float(concordance_index_censored(part.event, part.months, r)[0]),
    }
    return {"Nodal": own} | {name: _peer(way, follow_up, risk, counts, found) for name, way in ways.items()}


def _peer(
    way: Callable[[FollowUp, Floats], float], follow_up: FollowUp, risk: Floats, counts: Floats, found: Floats
) -> float:
    begun = time.perf_counter()
    for number in range(PEER_RESAMPLES):
        drawn = np.repeat(np.arange(follow_up.n), counts[:, number].astype(int))
        value = way(follow_up.take(drawn), risk[drawn])
        if abs(value - found[number]) > 1e-9:
            raise AssertionError("the peer finds another value")
    return (time.perf_counter() - begun) / PEER_RESAMPLES


if __name__ == "__main__":
    main()
