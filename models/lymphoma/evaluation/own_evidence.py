"""What a system's own cross-fitting gives as the evidence of its bundle, and what its card says of the cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.cross_fit import CrossFit
from lymphoma.prognosis.store import OutOfFold
from lymphoma.survival.follow_up import Ints
from lymphoma.training.evidence import CohortEvidence, EndpointEvidence, Evidence, MetricEstimate
from lymphoma.training.metadata import Description, TensorFormat, contents_digest

__all__ = ["SystemWords", "kept_out_of_fold", "own_description", "own_evidence"]


@dataclass(frozen=True)
class SystemWords:
    """What a published system says of itself on its card.

    Attributes:
        inputs, outputs: of its networks. limits: sentences.
    """

    system: str
    version: str
    task: str
    description: str
    inputs: Mapping[str, TensorFormat]
    outputs: Mapping[str, TensorFormat]
    limits: tuple[str, ...]


def own_description(
    patients: Patients, words: SystemWords, *, name: str, folds: int, folds_digest: str | None, generator: str | None
) -> Description:
    """The card of a system that was fitted on a cohort.

    Args:
        name: of the bundle. folds_digest: SHA-256 of the file of folds that were given. generator: of virtual patients.
    """
    return Description(
        name=name,
        system=words.system,
        version=words.version,
        task=words.task,
        description=words.description,
        authors="Fitted with Nodal on the cohort named below",
        copyright="Apache-2.0",
        changelog={words.version: "first fit"},
        trained_on="virtual" if patients.virtual else "patients",
        cohort=patients.cohort,
        cohort_digest=contents_digest(patients.contents),
        folds=folds,
        folds_digest=folds_digest,
        generator=(generator or "not told") if patients.virtual else None,
        inputs=words.inputs,
        outputs=words.outputs,
        intended_use="Prognosis before treatment, read by a physician beside the published indices.",
        limits=words.limits,
    )


def own_evidence(
    patients: Patients, fits: Sequence[CrossFit], trained: bool, further: Sequence[MetricEstimate] = ()
) -> Evidence:
    """Level E0 for virtual patients, else E1, which loads only after an acceptance run.

    Args:
        fits: one for each endpoint. trained: whether they may speak. further: figures beside C and slope.
    """
    figures = tuple(
        EndpointEvidence(
            one.model.endpoint,
            one.model.cox.n,
            one.model.cox.events,
            one.concordance.estimate,
            one.concordance.lower,
            one.concordance.upper,
            out_of_fold=True,
        )
        for one in fits
    )
    metrics = [
        MetricEstimate(f"{one.model.endpoint}_{what}", found.estimate, found.lower, found.upper, patients.cohort)
        for one in fits
        for what, found in (("harrell_c", one.concordance), ("calibration_slope", one.slope))
    ]
    return Evidence(
        level="E0" if patients.virtual else "E1",
        cohort=patients.cohort,
        n=figures[0].n,
        events=figures[0].events,
        trained=trained,
        metrics=(*metrics, *further),
        internal=CohortEvidence(patients.cohort, contents_digest(patients.contents), figures),
    )


def kept_out_of_fold(patients: Patients, fits: Sequence[tuple[CrossFit, Ints]]) -> OutOfFold:
    """Predictions of the training patients, so that the bundle can be judged and combined on the same cohort.

    Args:
        fits: each with the positions, in the cohort, of the patients it was fitted on.
    """
    found = {
        one.model.endpoint: {patients.contents[at]: float(lp) for at, lp in zip(index, one.out_of_fold, strict=True)}
        for one, index in fits
    }
    return OutOfFold(max(len(one.parts) for one, _ in fits), found)
