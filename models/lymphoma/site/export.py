"""The fitted clinical PET model as a bundle, with the evidence that its own fit gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.prognosis.store import OutOfFold
from lymphoma.site.features import FEATURES, range_features
from lymphoma.site.fit import FOLDS, RESAMPLES, EndpointFit, fit_endpoint
from lymphoma.site.impi import IMPI_WORD, impi_cohort
from lymphoma.training.bundle import Bundle, Survival, export_bundle
from lymphoma.training.evidence import CohortEvidence, EndpointEvidence, Evidence, MetricEstimate
from lymphoma.training.metadata import Description, contents_digest
from lymphoma.training.statistics import RangeStatistics, fit_statistics

__all__ = ["SiteFit", "export_site", "fit_site"]

VERSION = "1.0.0"


@dataclass(frozen=True, eq=False)
class SiteFit:
    """All that a bundle is made of.

    Attributes:
        endpoints: those that are kept. trained: whether they beat chance out of fold; where none does, all are kept
            and this is False. left_out: endpoint -> why there is no model of it.
    """

    endpoints: tuple[EndpointFit, ...]
    trained: bool
    left_out: Mapping[Endpoint, str]
    statistics: RangeStatistics


def fit_site(
    patients: Patients,
    *,
    endpoints: Sequence[Endpoint] = ("pfs", "os"),
    rule: CutOffRule = "youden_24m",
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Callable[[int, int], None] | None = None,
) -> SiteFit:
    """Fits each endpoint; one that cannot be fitted is left out and said.

    Args:
        progress: called with (steps done, steps in all).

    Raises:
        NotComputable: with the code of the first endpoint, where none can be fitted.
        BundleRefused: ``STATISTICS_UNFIT``.
    """
    fits: list[EndpointFit] = []
    left_out: dict[Endpoint, str] = {}
    faults: list[NotComputable] = []
    for number, endpoint in enumerate(endpoints):
        tell = _shifted(progress, number, len(endpoints))
        try:
            fits.append(fit_endpoint(patients, endpoint, rule=rule, seed=seed, resamples=resamples, progress=tell))
        except NotComputable as fault:
            faults.append(fault)
            left_out[endpoint] = fault.reason
    if not fits:
        raise faults[0]
    good = [fit for fit in fits if fit.beats_chance]
    for fit in fits if good else ():
        if not fit.beats_chance:
            left_out[fit.model.endpoint] = "it did not order patients better than chance"
    seen = np.unique(np.concatenate([fit.index for fit in good or fits]))
    values = np.array([range_features(patients.pet[i]) for i in seen])
    whole = values[np.isfinite(values).all(axis=1)]
    return SiteFit(tuple(good or fits), bool(good), left_out, fit_statistics(FEATURES, whole, seed))


def export_site(
    folder: Path,
    fit: SiteFit,
    patients: Patients,
    *,
    name: str,
    generator: str | None = None,
    keep_out_of_fold: bool = True,
    limits: Sequence[str] = (),
) -> Bundle:
    """Writes the bundle: level E0 for virtual patients, else E1, which loads only after an acceptance run.

    Args:
        name: of the bundle. generator: of virtual patients. keep_out_of_fold: predictions of the training patients go
            along, so that the bundle can be judged and combined on the same cohort.
        limits: further sentences for the card, such as how the measures were taken.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS``.
    """
    digest = contents_digest(patients.contents)
    predictions = OutOfFold(
        FOLDS,
        {
            one.model.endpoint: {
                patients.contents[position]: float(lp) for position, lp in zip(one.index, one.out_of_fold, strict=True)
            }
            for one in fit.endpoints
        },
    )
    impi = impi_cohort(patients)
    holds = Survival(
        tuple(one.model for one in fit.endpoints),
        predictions if keep_out_of_fold else None,
        {IMPI_WORD: impi.to_json()} if impi is not None else {},
    )
    said = _description(fit, patients, digest, name, generator)
    said = replace(said, limits=(*said.limits, *limits))
    return export_bundle(folder, said, {}, None, fit.statistics, _evidence(fit, patients, digest), survival=holds)


def _evidence(fit: SiteFit, patients: Patients, digest: str) -> Evidence:
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
        for one in fit.endpoints
    )
    metrics = [
        MetricEstimate(f"{one.model.endpoint}_{what}", found.estimate, found.lower, found.upper, patients.cohort)
        for one in fit.endpoints
        for what, found in (("harrell_c", one.concordance), ("calibration_slope", one.slope))
    ]
    return Evidence(
        level="E0" if patients.virtual else "E1",
        cohort=patients.cohort,
        n=figures[0].n,
        events=figures[0].events,
        trained=fit.trained,
        metrics=tuple(metrics),
        internal=CohortEvidence(patients.cohort, digest, figures),
    )


def _description(fit: SiteFit, patients: Patients, digest: str, name: str, generator: str | None) -> Description:
    trained_on: Literal["virtual", "patients"] = "virtual" if patients.virtual else "patients"
    return Description(
        name=name,
        system="site",
        version=VERSION,
        task="Survival of patients with aggressive lymphoma from baseline FDG PET/CT and clinical factors",
        description="Cox models of TMTV, SUVpeak, Dmax from the largest lesion, ECOG and age, fitted on this cohort.",
        authors="Fitted with Nodal on the cohort named below",
        copyright="Apache-2.0",
        changelog={VERSION: "first fit"},
        trained_on=trained_on,
        cohort=patients.cohort,
        cohort_digest=digest,
        folds=FOLDS,
        folds_digest=None,
        generator=generator if patients.virtual else None,
        inputs={},
        outputs={},
        intended_use="Prognosis before treatment, read by a physician beside the published indices.",
        limits=tuple(_limits(fit)),
    )


def _limits(fit: SiteFit) -> list[str]:
    said = []
    for one in fit.endpoints:
        endpoint = one.model.endpoint.upper()
        said.append(f"{endpoint}: complete patients only; {one.left_out} with a missing value were left out.")
        if one.dropped:
            said.append(f"{endpoint}: too few events for {', '.join(one.dropped)}.")
    said += [f"No model of {endpoint.upper()}: {reason}." for endpoint, reason in fit.left_out.items()]
    said.append("A patient without an avid lesion is not judged.")
    said.append("TMTV by the segmentation of the training cohort; another method needs another fit.")
    return said


def _shifted(progress: Callable[[int, int], None] | None, number: int, of: int) -> Callable[[int, int], None] | None:
    """Progress of one endpoint among several of the same length."""
    if progress is None:
        return None
    return lambda done, steps: progress(number * steps + done, of * steps)
