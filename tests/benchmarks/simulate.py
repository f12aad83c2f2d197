"""Seconds to make a virtual patient: the whole body at 4 mm, and the slab that a training step waits for.

Both in one thread, PET and CT, with all randomisation of training; medians over several patients, of processor time, so
that what else the machine does counts for little.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from lymphoma.simulation import TRAINING, PatientPlan, Protocol, build_patient, draw_patient
from lymphoma.simulation.patient import build_slab
from rich.console import Console
from rich.table import Table

__all__ = ["main"]

WHOLE = Protocol(pet_spacing_mm=(4.0, 4.0, 4.0), pet_matrix=128, ct_on_pet_grid=True)
TARGET_S = {"whole body, 4 mm": 3.0, "slab of 10 cm, 4 mm": 0.2}
PATIENTS = {"whole body, 4 mm": 6, "slab of 10 cm, 4 mm": 24}


def main() -> None:
    """Prints a table and a line of JSON."""
    console = Console()
    ways: dict[str, Callable[[PatientPlan], object]] = {
        "whole body, 4 mm": lambda plan: build_patient(plan, WHOLE),
        "slab of 10 cm, 4 mm": build_slab,
    }
    table = Table("patient", "median, s", "slowest, s", "target, s", title="Virtual patients, one thread")
    medians = {}
    for name, build in ways.items():
        seconds = [_once(build, seed) for seed in range(PATIENTS[name])]
        medians[name] = float(np.median(seconds))
        table.add_row(name, f"{medians[name]:.2f}", f"{max(seconds):.2f}", f"{TARGET_S[name]:g}")
    console.print(table)
    console.print_json(data={"simulate": {"median_s": {name: round(s, 3) for name, s in medians.items()}}})


def _once(build: Callable[[PatientPlan], object], seed: int) -> float:
    plan = draw_patient(seed, variety=TRAINING)
    begun = time.process_time()
    build(plan)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
