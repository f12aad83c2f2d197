"""Fits what the virtual cohort keeps as constants: the feature sampler, and the population constants of the risks.

python -m tests.acceptance.fit --patients 240 --workers 2
python -m tests.acceptance.fit --risk-only

The sampler is fitted on built patients of the hospital variety (seeds from 5,000,000), the risks on 20,000 sampled ones
(from 5,100,000): run it whenever the generator changes, and commit ``models/lymphoma/simulation/data``.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import lymphoma.simulation
from lymphoma.simulation import HOSPITAL, Protocol, Variety
from lymphoma.simulation.protocol import TRAINING_GRID, training_grid
from lymphoma.simulation.risk import dump_standards, fit_mechanisms
from lymphoma.simulation.sampler import sample_patients
from lymphoma.simulation.sampler_fit import MeasuredPatient, fit_sampler
from lymphoma.simulation.sampler_model import FeatureSampler

from tests.acceptance.images import build_each, show_progress

FIT_SEEDS, POPULATION_SEEDS = 5_000_000, 5_100_000
DATA = Path(lymphoma.simulation.__file__).parent / "data"


def measured_patients(
    seeds: range, *, workers: int = 1, variety: Variety = HOSPITAL, protocol: Protocol = TRAINING_GRID
) -> list[MeasuredPatient]:
    """Builds and measures patients, in the order of their seeds."""
    step = show_progress("patients built", len(seeds), _say)
    jobs = [(seed, variety, protocol) for seed in seeds]
    found = []
    if workers == 1:
        for job in jobs:
            found.append(_one(job))
            step(len(found))
    else:
        with ProcessPoolExecutor(workers) as pool:
            for patient in pool.map(_one, jobs):
                found.append(patient)
                step(len(found))
    _say("\n")
    return found


def _one(job: tuple[int, Variety, Protocol]) -> MeasuredPatient:
    seed, variety, protocol = job
    return next(build_each((seed,), variety=variety, protocol=protocol))[1]


def fit_all(patients: int, population: int, workers: int, *, risk_only: bool, protocol: Protocol, data: Path) -> None:
    """Writes ``sampler.npz`` and ``risk.json``."""
    data.mkdir(exist_ok=True)
    if not risk_only:
        seeds = range(FIT_SEEDS, FIT_SEEDS + patients)
        fit_sampler(measured_patients(seeds, workers=workers, protocol=protocol)).save(data / "sampler.npz")
    seeds = range(POPULATION_SEEDS, POPULATION_SEEDS + population)
    step = show_progress("patients sampled", population, _say)
    sampler = FeatureSampler.load(data / "sampler.npz")
    sampled = sample_patients(seeds, variety=HOSPITAL, sampler=sampler, progress=step)
    (data / "risk.json").write_text(dump_standards(fit_mechanisms(sampled.true)), encoding="utf-8")
    _say("\n")


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.fit", description=__doc__)
    parser.add_argument("--patients", type=int, default=240, help="built as images (default 240)")
    parser.add_argument("--population", type=int, default=20_000, help="sampled for the risks (default 20,000)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--risk-only", action="store_true", help="keep the sampler, refit the risks")
    parser.add_argument("--grid-mm", type=float, default=4.0, help="coarser for a quick trial")
    parser.add_argument("--data", type=Path, default=DATA, help="where to write (default: the package)")
    given = parser.parse_args()
    fit_all(
        given.patients,
        given.population,
        given.workers,
        risk_only=given.risk_only,
        protocol=training_grid(given.grid_mm),
        data=given.data,
    )


if __name__ == "__main__":
    main()
