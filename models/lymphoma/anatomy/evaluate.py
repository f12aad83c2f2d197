"""``python -m lymphoma.anatomy.evaluate``: how well the anatomy network finds organs in patients that it never saw.

Judged with PET and CT and with the PET alone (CT dropped): Dice and volume of every organ, and the grade of the field
of view. A patient's result is kept as it comes; the same command goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import structlog
import torch
from pydantic import TypeAdapter

from lymphoma.anatomy.coverage import coverage
from lymphoma.anatomy.figures import AnatomyFigures, KeptPatients, PatientResult, figures_of, overlaps, table_of
from lymphoma.anatomy.mapped_folder import MappedFolder
from lymphoma.anatomy.network import AIR_HU, NetworkAnatomy
from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.shipped import network_key, open_anatomy, shipped_bundle
from lymphoma.errors import CannotDo
from lymphoma.imaging.volume import Volume
from lymphoma.logs import log_to_stderr
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.sets import SETS
from lymphoma.training.case import Case, Cohort
from lymphoma.training.files import write_whole

__all__ = ["Truth", "generator_a", "judge", "main", "network_key", "opened", "options", "report"]

log = structlog.get_logger()

COHORT = "network-test"
INPUTS = ("PET and CT", "PET alone")
_SHORT = {"PET and CT": "both", "PET alone": "pet"}


@dataclass(frozen=True)
class Truth:
    """What a cohort's organ maps are worth.

    Attributes:
        renamed: name in the map -> a name that the network's table knows.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)

    def of(self, case: Case, engine: NetworkAnatomy) -> Anatomy:
        """The true map with the network's names; what the table does not know keeps its own name."""
        names = {label: self.renamed.get(name, name) for label, name in case.anatomy.names.items()}
        return Anatomy(case.anatomy.engine, case.anatomy.require(*case.anatomy.names.values()), names)


def judge(
    cohort: Cohort, engine: NetworkAnatomy, kept: KeptPatients, truth: Truth = Truth()
) -> tuple[AnatomyFigures, ...]:
    """Finds and compares, with either input; results that are kept already are taken as they are.

    Raises:
        NotComputable: NO_ANATOMY, a patient without an organ map.
    """
    results: dict[str, list[PatientResult]] = {given: [] for given in INPUTS}
    for done, subject in enumerate(cohort.subjects, start=1):
        known: dict[str, PatientResult | None] = {given: kept.get(subject.content, _SHORT[given]) for given in INPUTS}
        if any(one is None for one in known.values()):
            case = cohort.load(subject)
            for given in INPUTS:
                known[given] = result = judged(case, engine, truth, with_ct=given == INPUTS[0])
                kept.put(subject.content, _SHORT[given], result)
            log.info("patient_judged", cohort=cohort.name, done=done, of=len(cohort.subjects))
        for given, one in known.items():
            if one is not None:
                results[given].append(one)
    return tuple(figures_of(cohort.name, given, results[given]) for given in INPUTS)


def judged(case: Case, engine: NetworkAnatomy, truth: Truth, *, with_ct: bool) -> PatientResult:
    """One patient with one input."""
    no_ct = case.ct_hu.with_array(np.full(case.ct_hu.array.shape, AIR_HU, dtype=np.float32))
    ct_hu: Volume = case.ct_hu if with_ct else no_ct
    anatomy, true = engine.find(case.suv, ct_hu), truth.of(case, engine)
    lesions = None if case.lesions is None else case.lesions.array
    labels = engine.classes.merged(true.require(*true.names.values()).array, true.names, lesions)
    told = sorted({engine.classes.label_of(name) or 0 for name in true.names.values()})
    found = anatomy.require(*anatomy.names.values()).array
    return PatientResult(
        overlaps(found, labels, engine.classes, told, case.suv.voxel_volume_ml),
        coverage(case.suv, case.ct_hu, anatomy).field_of_view,
        coverage(case.suv, case.ct_hu, true).field_of_view,
    )


def report(figures: Sequence[AnatomyFigures], out: Path) -> str:
    """Writes ``anatomy.json`` and ``anatomy.md`` to a folder; the text of the latter."""
    page = "\n".join(table_of(one) for one in figures)
    write_whole(out / "anatomy.json", TypeAdapter(list[AnatomyFigures]).dump_json(list(figures), indent=1) + b"\n")
    write_whole(out / "anatomy.md", page.encode())
    return page


def options(name: str) -> argparse.ArgumentParser:
    """The command line of an evaluation."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description="Judges the anatomy network on patients that it never saw; the same command again goes on.",
        epilog=f"Example: nice -n 19 python -m {name} --run runs/one --out figures --patients 80",
    )
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--bundle", type=Path, help="bundle of the anatomy network (default: the shipped one)")
    network.add_argument("--run", type=Path, help="folder of a training, or its hand-over, in place of a bundle")
    parser.add_argument("--patients", type=int, default=SETS[COHORT].patients, help="how many (default 80)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the figures; made if missing")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


def opened(given: argparse.Namespace) -> tuple[NetworkAnatomy, KeptPatients]:
    """The network that a command line names, and where results are kept.

    Raises:
        CannotDo: it cannot be opened.
    """
    torch.set_num_threads(given.threads)
    folder = given.bundle or given.run or shipped_bundle()
    if folder is None:
        raise CannotDo("NO_BUNDLE", "this version ships no anatomy network; name one with --bundle or --run")
    engine = open_anatomy(folder)
    given.out.mkdir(parents=True, exist_ok=True)
    return engine, KeptPatients(given.out / "patients", network_key(engine))


def main(arguments: list[str] | None = None) -> int:
    """See ``--help``."""
    parser = options("lymphoma.anatomy.evaluate")
    parser.add_argument("--cohort", type=Path, help="folder of studies as NIfTI with organs.nii.gz and organs.json")
    given = parser.parse_args(arguments)
    log_to_stderr()
    try:
        engine, kept = opened(given)
        cohort = MappedFolder(given.cohort, given.patients) if given.cohort else generator_a(given.patients)
        figures = judge(cohort, engine, kept)
    except CannotDo as error:
        log.error("not_judged", code=error.code, reason=error.reason)
        return 1
    sys.stdout.write(report(figures, given.out))
    return 0


def generator_a(patients: int) -> VirtualCohort:
    """The first patients of the project's set for networks' figures."""
    members = SETS[COHORT]
    seeds = members.seeds[: min(patients, members.patients)]
    return VirtualCohort("generator A", seeds, members.variety, TRAINING_GRID)


if __name__ == "__main__":
    raise SystemExit(main())
