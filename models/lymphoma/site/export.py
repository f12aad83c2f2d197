"""The fitted clinical PET model as a bundle, with the evidence that its own fit gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from lymphoma.evaluation.own_evidence import kept_out_of_fold, own_evidence
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.cross_fit import Progress, fit_each
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.site.features import FEATURES, range_features
from lymphoma.site.fit import FOLDS, RESAMPLES, EndpointFit, fit_endpoint
from lymphoma.site.impi import IMPI_WORD, impi_cohort
from lymphoma.training.bundle import Bundle, Survival, export_bundle
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
    progress: Progress | None = None,
) -> SiteFit:
    """Fits each endpoint; one that cannot be fitted is left out and said.

    Args:
        progress: called with (steps done, steps in all).

    Raises:
        NotComputable: with the code of the first endpoint, where none can be fitted.
        BundleRefused: ``STATISTICS_UNFIT``.
    """

    def fit(endpoint: Endpoint, tell: Progress | None) -> EndpointFit:
        return fit_endpoint(patients, endpoint, rule=rule, seed=seed, resamples=resamples, progress=tell)

    otherwise = "it did not order patients better than chance"
    each = fit_each(endpoints, fit, lambda one: one.fit.beats_chance, otherwise, progress)
    seen = np.unique(np.concatenate([one.index for one in each.fits]))
    values = np.array([range_features(patients.pet[i]) for i in seen])
    whole = values[np.isfinite(values).all(axis=1)]
    return SiteFit(each.fits, each.trained, each.left_out, fit_statistics(FEATURES, whole, seed))


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
    impi = impi_cohort(patients)
    holds = Survival(
        tuple(one.fit.model for one in fit.endpoints),
        kept_out_of_fold(patients, [(one.fit, one.index) for one in fit.endpoints]) if keep_out_of_fold else None,
        {IMPI_WORD: impi.to_json()} if impi is not None else {},
    )
    evidence = own_evidence(patients, [one.fit for one in fit.endpoints], fit.trained)
    said = _description(fit, patients, digest, name, generator)
    said = replace(said, limits=(*said.limits, *limits))
    return export_bundle(folder, said, {}, None, fit.statistics, evidence, survival=holds)


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
        endpoint = one.fit.model.endpoint.upper()
        said.append(f"{endpoint}: complete patients only; {one.left_out} with a missing value were left out.")
        if one.dropped:
            said.append(f"{endpoint}: too few events for {', '.join(one.dropped)}.")
    said += [f"No model of {endpoint.upper()}: {reason}." for endpoint, reason in fit.left_out.items()]
    said.append("A patient without an avid lesion is not judged.")
    said.append("TMTV by the segmentation of the training cohort; another method needs another fit.")
    return said
