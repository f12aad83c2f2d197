"""``python -m tests.generator_b --patients N --out DIR --seed S``: writes a cohort folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tests.generator_b.cohort import write_patient, write_table
from tests.generator_b.patient import FAULTS, build


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line (or ``arguments``) and writes patient after patient."""
    parser = argparse.ArgumentParser(prog="python -m tests.generator_b", description="Virtual patients of generator B")
    parser.add_argument("--patients", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1, help="of the first patient; the next have the next seeds")
    parser.add_argument("--spacing-mm", type=float, default=4.0, help="edge of the cubic voxels")
    parser.add_argument("--fault", choices=FAULTS, default=None, help="spoils every study in this way")
    options = parser.parse_args(arguments)
    rows = [
        write_patient(build(seed, options.spacing_mm, fault=options.fault), options.out)
        for seed in range(options.seed, options.seed + options.patients)
    ]
    write_table(rows, options.out)


if __name__ == "__main__":
    main()
