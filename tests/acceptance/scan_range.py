"""What the range check notices and what it refuses wrongly, on the second generator.

python -m tests.acceptance.scan_range --statistics FILE --anatomy RUN_OR_BUNDLE --out docs [--patients 60]

Each patient is built healthy of faults and with every fault. ``--anatomy given`` takes the true organs: for work on
the features, never for a figure about the node.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from lymphoma.anatomy.classes import IGNORED, shipped_classes
from lymphoma.anatomy.organs import Anatomy, AnatomyEngine
from lymphoma.anatomy.shipped import open_anatomy
from lymphoma.imaging.registration import apply, register_ct
from lymphoma.scan_range.check import check
from lymphoma.scan_range.features import scan_features
from lymphoma.scan_range.fit import read_statistics
from lymphoma.training.statistics import RangeStatistics, RangeVerdict
from scipy.stats import binomtest

from tests.generator_b import FAULTS, Fault, PatientB, build, spoilt

__all__ = ["FaultResult", "given_anatomy", "judged", "main", "scans", "table"]

FIRST_SEED = 63_100
"""The hundred before these were looked at while the check was made."""
UPTAKE_MINUTES = 62.0
DETECTED_AT_LEAST, FALSE_ALARMS_AT_MOST = 0.95, 0.05

REBUILT: tuple[Fault, ...] = ("psma", "fes", "dotatate", "treated_marrow")
"""Faults of the physiology; the others spoil images that are there."""

OTHER_NAMES: Mapping[str, str] = {"muscles": "skeletal_muscle", "torso_fat": "", "mediastinum": ""}
"""Structures of the second generator under other words than the classes know; "" is the background."""


@dataclass(frozen=True)
class FaultResult:
    """How a kind of scan was judged.

    Attributes:
        kind: "none" or a fault. outside: how many were found outside. low, high: 95 % interval of the share (Wilson).
        named: the features named first, with how often.
    """

    kind: str
    scans: int
    outside: int
    unusual: int
    low: float
    high: float
    named: Mapping[str, int]

    @property
    def passed(self) -> bool:
        """Whether the share reaches what is asked for."""
        share = self.outside / self.scans
        return share <= FALSE_ALARMS_AT_MOST if self.kind == "none" else share >= DETECTED_AT_LEAST


def scans(seed: int, spacing_mm: float) -> Iterator[tuple[str, PatientB]]:
    """A patient without and with each fault."""
    healthy = build(seed, spacing_mm)
    yield "none", healthy
    for fault in FAULTS:
        yield fault, build(seed, spacing_mm, fault=fault) if fault in REBUILT else spoilt(healthy, fault)


def given_anatomy(patient: PatientB) -> Anatomy:
    """The true organs in the network's classes."""
    table = shipped_classes()
    labels = {name: label for label, name in table.names.items()}
    organs = table.merged(patient.organs.array, patient.names)
    for label, name in patient.names.items():
        word = OTHER_NAMES.get(name, name)
        if name.startswith(("vertebrae_", "rib_", "thyroid_gland_")):
            word = {"v": name[: len("vertebrae_C")], "r": "rib", "t": "thyroid_gland"}[name[0]]
        if name in OTHER_NAMES or word != name:
            organs[patient.organs.array == label] = labels.get(word, 0)
    organs[organs == IGNORED] = 0
    return Anatomy("given", patient.organs.with_array(organs), table.names)


def judged(patient: PatientB, engine: AnatomyEngine | None, statistics: RangeStatistics) -> RangeVerdict:
    """As the node does it: registration, organs, features, check. ``engine`` None takes the true organs."""
    registration = register_ct(patient.suv, patient.ct_hu)
    ct = apply(patient.ct_hu, patient.suv, registration)
    anatomy = given_anatomy(patient) if engine is None else engine.find(patient.suv, ct)
    features = scan_features(patient.suv, ct, anatomy, UPTAKE_MINUTES, registration.verdict)
    return check(features, statistics)


def summary(kind: str, verdicts: list[RangeVerdict]) -> FaultResult:
    """Counts of one kind."""
    outside = [one for one in verdicts if one.range == "outside"]
    interval = binomtest(len(outside), len(verdicts)).proportion_ci(0.95, "wilson")
    named = Counter(one.features[0] for one in outside if one.features).most_common(3)
    unusual = sum(one.range == "unusual" for one in verdicts)
    return FaultResult(kind, len(verdicts), len(outside), unusual, interval.low, interval.high, dict(named))


def table(results: list[FaultResult], said: str) -> str:
    """The page about the range check."""
    lines = [
        "# Range check",
        "",
        "A scan outside the range of what the networks know gets a threshold contour and no prognosis. What the check",
        "notices, and what it refuses wrongly, on virtual patients of a generator that took no part in its making:",
        "",
        f"{said}",
        "",
        "| scan | scans | outside | 95 % interval | unusual | named first | asked for |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in results:
        asked = "at most 5 %" if one.kind == "none" else "at least 95 %"
        kind = "nothing wrong (false alarms)" if one.kind == "none" else one.kind.replace("_", " ")
        share = f"{100 * one.outside / one.scans:.0f} %"
        named = ", ".join(f"{name} ({count})" for name, count in one.named.items())
        interval = f"{100 * one.low:.0f}-{100 * one.high:.0f} %"
        reached = f"{asked}: {'reached' if one.passed else 'missed'}"
        lines.append(f"| {kind} | {one.scans} | {share} | {interval} | {one.unusual} | {named} | {reached} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line, writes ``scan-range.json`` and ``scan-range.md``; 1 where a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.scan_range", description=__doc__)
    parser.add_argument("--statistics", type=Path, required=True)
    parser.add_argument("--anatomy", required=True, help="bundle or run folder; 'given' for the true organs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--spacing-mm", type=float, default=4.0)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    statistics = read_statistics(given.statistics)
    engine = None if given.anatomy == "given" else open_anatomy(Path(given.anatomy))
    verdicts: dict[str, list[RangeVerdict]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + given.patients):
        for kind, patient in scans(seed, given.spacing_mm):
            verdicts.setdefault(kind, []).append(judged(patient, engine, statistics))
        sys.stderr.write(f"\r{seed - FIRST_SEED + 1} of {given.patients}")
    results = [summary(kind, found) for kind, found in verdicts.items()]
    organs = "the true organs" if engine is None else "organs found by the anatomy network"
    said = f"{statistics.patients} virtual scans in the statistics; {organs}; voxels of {given.spacing_mm:g} mm."
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "scan-range.json").write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n")
    (given.out / "scan-range.md").write_text(table(results, said))
    sys.stdout.write(table(results, said))
    return 0 if all(one.passed for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
