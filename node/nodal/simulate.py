"""``nodal simulate``: virtual patients as a cohort folder, made by several processes at once.

The folder is that of any cohort, ``cohort.csv`` with ``studies``; the truth that no system may see stands apart:
``truth.csv`` with each patient's true risk, and ``truth.npz`` with the true features it follows from. Patients without
images have ``features.npz`` and ``measures.csv``, both as a scan with its noise would give them. ``cohort.json`` says
that nobody in it is real.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from lymphoma.simulation import (
    GENERATOR,
    HOSPITAL,
    PLAIN,
    TRAINING,
    Protocol,
    build_patient,
    draw_patient,
)
from lymphoma.simulation.cohort import features_of, virtual_id
from lymphoma.simulation.feature_table import FeatureTable, join_tables, stack_features
from lymphoma.simulation.features import PatientFeatures
from lymphoma.simulation.outcomes import (
    HORIZONS_MONTHS,
    OutcomeTable,
    TrueRisk,
    draw_outcomes,
    outcome_model,
    true_risks,
)
from lymphoma.simulation.pet_measures import pet_measures
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.risk import MODES, true_eta
from lymphoma.simulation.sampler import SampledPatients, sample_patients
from lymphoma.simulation.sets import SETS
from lymphoma.simulation.store import save_nifti

from nodal.cohort.about import About
from nodal.cohort.measures import MEASURES_NAME, write_measures
from nodal.cohort.table import Row, write_table
from nodal.dicom.write import write_study
from nodal.errors import WrongUsage

__all__ = ["Images", "MadePatient", "Mechanism", "Order", "order_of_set", "simulate"]

J = TypeVar("J")
R = TypeVar("R")
Progress = Callable[[int, int], None]
Images = Literal["dicom", "nifti", "none"]
SAMPLED_AT_ONCE = 1000
_VARIETIES = {variety.name: variety for variety in (PLAIN, HOSPITAL, TRAINING)}


@dataclass(frozen=True)
class Mechanism:
    """Where the true risk comes from.

    Attributes:
        mode: one of :data:`lymphoma.simulation.risk.MODES`. sigma: SD of the log hazard ratio in the population.
        draw: 0, 1, ... redraws times and censoring with the same true risk.
    """

    mode: str = "mixed"
    sigma: float = 1.0
    draw: int = 0

    def __post_init__(self) -> None:
        if self.mode not in MODES or self.sigma < 0 or self.draw < 0:
            raise WrongUsage(f"a mechanism is one of {', '.join(MODES)}, with a sigma and a draw of 0 or more")


@dataclass(frozen=True)
class Order:
    """What is to be made.

    Attributes:
        seeds: one patient each. out: the cohort folder, made where missing.
        variety: "plain", "hospital" or "training", how much the scans differ.
        images: DICOM studies, NIfTI pairs, or none but feature vectors.
        protocol: grids of PET and CT; None takes each scanner's own for DICOM and :data:`TRAINING_GRID` for NIfTI.
        lesions: number of lesions of each patient; None draws it.
        mechanism: of the outcomes.
    """

    seeds: range
    out: Path
    variety: str = PLAIN.name
    images: Images = "dicom"
    protocol: Protocol | None = None
    lesions: int | None = None
    mechanism: Mechanism = Mechanism()

    def __post_init__(self) -> None:
        if not self.seeds or self.seeds[0] < 0 or (self.lesions is not None and self.lesions < 0):
            raise WrongUsage(
                "simulate needs at least one patient, seeds of 0 or more and no negative number of lesions"
            )
        if self.variety not in _VARIETIES:
            raise WrongUsage(f"the variety of scans is one of {', '.join(_VARIETIES)}")
        if self.images == "none" and self.lesions is not None:
            raise WrongUsage("feature vectors are drawn with the number of lesions that the patient has")


def order_of_set(name: str, out: Path, mechanism: Mechanism) -> Order:
    """The order for one of the project's own sets (:data:`lymphoma.simulation.sets.SETS`)."""
    if name not in SETS:
        raise WrongUsage(f"the sets are {', '.join(SETS)}")
    chosen = SETS[name]
    images: Images = "nifti" if chosen.kind == "images" else "none"
    return Order(chosen.seeds, out, chosen.variety.name, images, mechanism=mechanism)


@dataclass(frozen=True, eq=False)
class MadePatient:
    """A virtual patient on disk.

    Attributes:
        study: the folder with nothing but the study's files (DICOM, or the NIfTI pair). reference: true lesion map.
        features: the true ones: from the true lesion map on the PET without noise.
    """

    seed: int
    patient_id: str
    study: Path
    reference: Path
    features: PatientFeatures


def simulate(order: Order, *, workers: int = 1, progress: Progress | None = None) -> tuple[MadePatient, ...]:
    """Makes the patients and the tables, in order of seed; the same order gives the same bytes.

    Args:
        workers: processes; 1 works in this one.
        progress: called with (patients done, patients in all) at the start and after each.

    Returns:
        The patients with images; none where only ``features.npz`` was made, the features as measured.
    """
    order.out.mkdir(parents=True, exist_ok=True)
    total = len(order.seeds)
    told = progress or (lambda done, of: None)
    told(0, total)
    if order.images == "none":
        _sample_all(order, workers, told)
        return ()
    done: dict[int, MadePatient] = {}
    for patient in _work(_make, order, list(order.seeds), workers):
        done[patient.seed] = patient
        told(len(done), total)
    made = tuple(done[seed] for seed in order.seeds)
    _write_tables(order, stack_features([patient.features for patient in made]), made)
    return made


def _work(make: Callable[[Order, J], R], order: Order, jobs: Sequence[J], workers: int) -> Iterator[R]:
    """Results as they are done; a process that dies is an error, never a result less."""
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from (make(order, job) for job in jobs)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_one_thread) as pool:
        for ready in as_completed([pool.submit(make, order, job) for job in jobs]):
            yield ready.result()


def _sample_all(order: Order, workers: int, told: Progress) -> None:
    """Writes ``features.npz`` and the tables of patients without images."""
    jobs = [order.seeds[start : start + SAMPLED_AT_ONCE] for start in range(0, len(order.seeds), SAMPLED_AT_ONCE)]
    parts: list[SampledPatients] = []
    for part in _work(_sample, order, jobs, workers):
        parts.append(part)
        told(sum(len(done.seeds) for done in parts), len(order.seeds))
    parts.sort(key=lambda part: part.seeds[0])
    measured = join_tables([part.measured for part in parts])
    measured.save(order.out / "features.npz")
    write_measures(order.out / MEASURES_NAME, zip(measured.patient_ids, pet_measures(measured), strict=True))
    _write_tables(order, join_tables([part.true for part in parts]), ())


def _sample(order: Order, seeds: range) -> SampledPatients:
    return sample_patients(seeds, variety=_VARIETIES[order.variety])


def _one_thread() -> None:
    """Each process works on a patient of its own: threads inside would only take turns with the other processes."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def _make(order: Order, seed: int) -> MadePatient:
    nifti = order.images == "nifti"
    plan = draw_patient(seed, lesions=order.lesions, variety=_VARIETIES[order.variety])
    patient = build_patient(plan, order.protocol or (TRAINING_GRID if nifti else None))
    studies = order.out / "studies"
    if nifti:
        study = studies / virtual_id(seed)
        save_nifti(patient, study)
        reference = study / "lesions.nii.gz"
    else:
        written = write_study(patient, studies)
        study, reference = written.dicom, written.lesions
    return MadePatient(seed, virtual_id(seed), study, reference, features_of(patient, noise_free=True))


def _write_tables(order: Order, table: FeatureTable, made: Sequence[MadePatient]) -> None:
    mechanism = order.mechanism
    eta = true_eta(table, mechanism.mode, mechanism.sigma)
    model = outcome_model(mechanism.sigma)
    outcomes = draw_outcomes(model, eta, order.seeds, draw=mechanism.draw)
    write_table(order.out / "cohort.csv", _rows(order, table, outcomes, made))
    seeds = f"seeds {order.seeds[0]} to {order.seeds[-1]}"
    risk = f"risk {mechanism.mode}, sigma {mechanism.sigma:g}, draw {mechanism.draw}"
    note = f"Virtual patients of generator {GENERATOR}, {order.variety} scans, {seeds}; {risk}."
    About(order.out.resolve().name, virtual=True, note=note).write(order.out)
    table.save(order.out / "truth.npz")
    _write_truth(order, table.patient_ids, true_risks(model, eta, mechanism.mode, mechanism.sigma))


def _write_truth(order: Order, patient_ids: Sequence[str], risks: Sequence[TrueRisk]) -> None:
    survival = [f"{endpoint}_{months}m" for endpoint in ("pfs", "os") for months in HORIZONS_MONTHS]
    with (order.out / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("patient_id", "seed", "generator", "mode", "sigma", "draw", "eta", *survival))
        for seed, name, risk in zip(order.seeds, patient_ids, risks, strict=True):
            chances = (f"{chance:.6f}" for chance in (*risk.pfs, *risk.os))
            head = (name, seed, GENERATOR, risk.mode, f"{risk.sigma:g}", order.mechanism.draw, f"{risk.eta:.6f}")
            writer.writerow((*head, *chances))


def _rows(order: Order, table: FeatureTable, outcomes: OutcomeTable, made: Sequence[MadePatient]) -> Iterator[Row]:
    for index, (name, clinical) in enumerate(zip(table.patient_ids, table.clinical, strict=True)):
        pfs, os_ = outcomes.patient(index)
        yield Row(
            line=index + 2,
            patient_id=name,
            study=made[index].study.relative_to(order.out).as_posix() if made else "",
            references=(made[index].reference.relative_to(order.out).as_posix(),) if made else (),
            no_lesion=bool(table.counts[index] == 0),
            centre="virtual",
            clinical=clinical,
            pfs=pfs,
            os=os_,
        )
