"""``python -m lymphoma.scan_range.fit``: the range statistics, from fresh virtual scans and an anatomy network.

Organs are those the network finds, never the true ones: what it makes of a scan is part of what is compared. Each scan
that is measured is kept beside the statistics, and the same command again goes on from there.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import structlog
import torch
from pydantic import TypeAdapter

from lymphoma.anatomy.organs import AnatomyEngine
from lymphoma.anatomy.shipped import open_anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.scan_range.check import fit_range
from lymphoma.scan_range.features import NAMES, scan_features
from lymphoma.simulation.cohort import case_of, subject_of
from lymphoma.simulation.patient import build_patient
from lymphoma.simulation.plan import PatientPlan, draw_patient
from lymphoma.simulation.sets import SETS
from lymphoma.simulation.variety import Variety
from lymphoma.training.files import write_whole
from lymphoma.training.statistics import RangeStatistics

__all__ = ["in_range_variety", "main", "measured_rows", "measured_scan", "read_statistics", "write_statistics"]

RANGE_SETS = ("range-train-wide", "range-train-hospital")
"""Half of the patients each."""

_STATISTICS: TypeAdapter[RangeStatistics] = TypeAdapter(RangeStatistics)
_LOG = structlog.get_logger()


def in_range_variety(variety: Variety) -> Variety:
    """A variety without what no scan in range has: a CT that holds nothing, lies elsewhere, or has random densities.

    A shift beyond 5 mm is corrected before the range is checked (:mod:`lymphoma.imaging.registration`).
    """
    shift_mm = dataclasses.replace(variety.misregistration_mm, high=min(5.0, variety.misregistration_mm.high))
    return dataclasses.replace(variety, ct_random=0.0, ct_dropped=0.0, ct_displaced=0.0, misregistration_mm=shift_mm)


def measured_scan(seed: int, variety: Variety, engine: AnatomyEngine) -> tuple[float, ...]:
    """Features of one virtual scan on its scanner's own PET grid, with the organs that the engine finds."""
    plan: PatientPlan = draw_patient(seed, variety=in_range_variety(variety))
    protocol = dataclasses.replace(plan.scan.protocol, ct_on_pet_grid=True)  # a CT in 512 x 512 would only be averaged
    case = case_of(build_patient(plan, protocol), subject_of(plan, protocol=protocol))
    ct_hu: Volume = case.ct_hu
    anatomy = engine.find(case.suv, ct_hu)
    return scan_features(case.suv, ct_hu, anatomy, plan.scan.uptake_minutes).values


def measured_rows(
    file: Path, wanted: Sequence[tuple[int, Variety]], engine: AnatomyEngine, key: str
) -> Iterator[tuple[float, ...]]:
    """Rows of features, taken from ``file`` where they stand in it, else measured and appended to it.

    Args:
        wanted: seeds with their variety. key: names the network; rows of another one are passed over.
    """
    kept = _read(file, key)
    cut_short = file.is_file() and file.stat().st_size > 0 and not file.read_bytes().endswith(b"\n")
    with file.open("a", encoding="utf-8") as stream:
        if cut_short:
            stream.write("\n")
        for done, (seed, variety) in enumerate(wanted, start=1):
            if seed not in kept:
                kept[seed] = measured_scan(seed, variety, engine)
                shown = [value if math.isfinite(value) else None for value in kept[seed]]
                stream.write(json.dumps({"key": key, "seed": seed, "values": shown}) + "\n")
                stream.flush()
                if done % 20 == 0:
                    _LOG.info("scans_measured", done=done, of=len(wanted))
            yield kept[seed]


def _read(file: Path, key: str) -> dict[int, tuple[float, ...]]:
    """The rows of one network; a last line that a kill cut short is passed over."""
    rows: dict[int, tuple[float, ...]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            row: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue
        if row["key"] == key and len(row["values"]) == len(NAMES):
            rows[row["seed"]] = tuple(math.nan if value is None else float(value) for value in row["values"])
    return rows


def write_statistics(statistics: RangeStatistics, file: Path) -> None:
    """Writes the statistics as JSON, whole or not at all."""
    write_whole(file, _STATISTICS.dump_json(statistics, indent=1))


def read_statistics(file: Path) -> RangeStatistics:
    """Reads what :func:`write_statistics` wrote."""
    return _STATISTICS.validate_json(file.read_bytes())


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line and writes the statistics."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    engine = open_anatomy(given.anatomy)
    key = f"{_digest(engine.network)}-{hashlib.sha256(','.join(NAMES).encode()).hexdigest()[:8]}"
    each = math.ceil(given.patients / len(RANGE_SETS))
    wanted = [(seed, SETS[name].variety) for name in RANGE_SETS for seed in SETS[name].seeds[:each]]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    rows = list(measured_rows(given.out.with_suffix(".rows.jsonl"), wanted, engine, key))
    statistics = fit_range(np.array(rows))
    write_statistics(statistics, given.out)
    _LOG.info("range_fitted", patients=statistics.patients, features=len(NAMES), limit=round(statistics.limit, 2))
    return 0


def _digest(network: torch.nn.Module) -> str:
    """Names the weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.scan_range.fit",
        description="Fits what a scan in range looks like, on virtual patients; the same command again goes on.",
        epilog="Example: python -m lymphoma.scan_range.fit --anatomy runs/anatomy --out statistics.json",
    )
    parser.add_argument("--anatomy", type=Path, required=True, help="bundle or run folder of the anatomy network")
    parser.add_argument("--out", type=Path, required=True, help="the statistics, JSON; rows are kept beside it")
    parser.add_argument("--patients", type=int, default=400, help="virtual patients in all (default 400)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
