"""``nodal train``: a system is fitted on a cohort folder and becomes a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lymphoma.errors import BundleRefused
from lymphoma.evaluation.learner import Asked, Learned, Learner, installed_learners
from lymphoma.evaluation.patients import Patients
from lymphoma.lamp.config import SHIPPED, read_heads_config
from lymphoma.lamp.export import export_lamp
from lymphoma.lamp.fit import LampFit, fit_lamp
from lymphoma.prognosis.cross_fit import CrossFit
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.prognosis.system import SYSTEMS
from lymphoma.site.export import SiteFit, export_site, fit_site
from lymphoma.training.bundle import Bundle

from nodal.cohort.about import About
from nodal.errors import Code, Failed, WrongUsage
from nodal.evaluation.inputs import inputs_of_cohort
from nodal.evaluation.patients import Origins, patients_with_origins
from nodal.evaluation.pooled import pooled_cohort
from nodal.settings import Settings

__all__ = ["TRAINED_HERE", "EndpointResult", "Training", "TrainingResult", "train"]

TRAINED_HERE = ("site", "lamp", *installed_learners())
"""Systems that this version can train on a cohort folder."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Training:
    """What is to be fitted.

    Attributes:
        name: of the bundle; empty takes the system's and the cohort's. rule: of the risk groups' cut-offs.
        seed: of folds and resamples. keep_out_of_fold: predictions of the training patients go into the bundle.
        config: a file in place of the system's shipped configuration; endpoints, rule and seed are those above.
    """

    system: str
    cohort: Path
    out: Path
    name: str = ""
    endpoints: Sequence[Endpoint] = ("pfs", "os")
    rule: CutOffRule = "youden_24m"
    seed: int = 0
    keep_out_of_fold: bool = True
    config: Path | None = None

    def __post_init__(self) -> None:
        if self.system not in SYSTEMS:
            raise WrongUsage(f"{self.system} is none of the systems {', '.join(SYSTEMS)}")
        if self.system not in TRAINED_HERE:
            said = f"{self.system} is not trained by this version; it trains {', '.join(TRAINED_HERE)}"
            raise Failed(Code.NOT_INSTALLED, said)
        if self.out.exists():
            raise BundleRefused("BUNDLE_EXISTS", f"{self.out.name} is already there")


@dataclass(frozen=True)
class EndpointResult:
    """How one endpoint went; the figures are out of fold, with 95 % intervals.

    Attributes:
        left_out: patients with an outcome and without one of the values. dropped: covariates, for few events.
        horizons_months: at which survival is said.
    """

    endpoint: Endpoint
    n: int
    events: int
    left_out: int
    covariates: tuple[str, ...]
    dropped: tuple[str, ...]
    harrell_c: tuple[float, float, float]
    calibration_slope: tuple[float, float, float]
    cutoffs: tuple[float, ...]
    horizons_months: tuple[float, ...]


@dataclass(frozen=True)
class TrainingResult:
    """A bundle that was made.

    Attributes:
        trained: it beats chance out of fold. enabled: it may be used; of level E1 only after an acceptance run.
        not_fitted: endpoint -> why. origins: where the patients' measures come from.
    """

    bundle: str
    name: str
    system: str
    digest: str
    evidence: Literal["E0", "E1", "E2"]
    trained: bool
    enabled: bool
    cohort: str
    endpoints: tuple[EndpointResult, ...]
    not_fitted: dict[str, str]
    origins: Origins


def train(training: Training, settings: Settings | None = None, progress: Progress | None = None) -> TrainingResult:
    """Reads the cohort, fits and writes the bundle: E0 where any patient is virtual, else E1, not yet accepted.

    Args:
        progress: called with what is done ("patients", "models"), steps done and steps in all.

    Raises:
        WrongUsage: no such folder. Refused: COHORT_TABLE; NO_USABLE_PATIENT. CannotDo: the codes of the fit.
    """
    tell = progress or (lambda what, done, of: None)
    patients, origins = patients_with_origins(training.cohort, settings, lambda done, of: tell("patients", done, of))
    if training.system == "lamp":
        return _train_lamp(training, patients, origins, settings or Settings(), tell)
    if (learner := installed_learners().get(training.system)) is not None:
        return _train_images(training, learner, patients, origins, settings or Settings(), tell)
    fit = fit_site(
        patients,
        endpoints=training.endpoints,
        rule=training.rule,
        seed=training.seed,
        progress=lambda done, of: tell("models", done, of),
    )
    note = About.read(training.cohort).note
    training.out.resolve().parent.mkdir(parents=True, exist_ok=True)
    bundle = export_site(
        training.out,
        fit,
        patients,
        name=training.name or f"{training.system}, {patients.cohort}",
        generator=note or "not told",
        keep_out_of_fold=training.keep_out_of_fold,
        limits=(origins.sentence,),
    )
    told = tuple(_endpoint(one.fit, one.left_out, one.dropped) for one in fit.endpoints)
    return _told(bundle, fit, told, origins)


def _train_lamp(
    training: Training, patients: Patients, origins: Origins, settings: Settings, tell: Progress
) -> TrainingResult:
    """Pools the features of every study, trains the heads over the folds and writes the bundle."""
    cohort = pooled_cohort(training.cohort, patients, settings, lambda done, of: tell("features", done, of))
    config = read_heads_config(training.config or SHIPPED)
    config = replace(config, endpoints=tuple(training.endpoints), rule=training.rule, seed=training.seed)
    fit = fit_lamp(cohort, config, progress=lambda done, of: tell("models", done, of))
    training.out.resolve().parent.mkdir(parents=True, exist_ok=True)
    bundle = export_lamp(
        training.out,
        fit,
        cohort,
        name=training.name or f"{training.system}, {patients.cohort}",
        generator=About.read(training.cohort).note or None,
        keep_out_of_fold=training.keep_out_of_fold,
        limits=(origins.sentence,),
    )
    left_out = len(patients) - len(cohort)
    return _told(bundle, fit, tuple(_endpoint(one.fit, left_out) for one in fit.endpoints), origins)


def _train_images(
    training: Training, learner: Learner, patients: Patients, origins: Origins, settings: Settings, tell: Progress
) -> TrainingResult:
    """Prepares the system's inputs of every study, trains over the folds and writes the bundle."""
    cohort = inputs_of_cohort(training.cohort, patients, learner, settings, lambda done, of: tell("inputs", done, of))
    training.out.resolve().parent.mkdir(parents=True, exist_ok=True)
    asked = Asked(
        training.name or f"{training.system}, {patients.cohort}",
        About.read(training.cohort).note or None,
        training.endpoints,
        training.rule,
        training.seed,
        training.keep_out_of_fold,
        (origins.sentence,),
        training.config,
        training.out.resolve().with_name(f".{training.out.name}.folds"),
    )
    made = learner.learn(cohort, training.out, asked, lambda done, of: tell("models", done, of))
    endpoints = tuple(_endpoint(one, len(patients) - one.model.cox.n) for one in made.fits)
    return _told(made.bundle, made, endpoints, origins)


def _endpoint(fit: CrossFit, left_out: int, dropped: tuple[str, ...] = ()) -> EndpointResult:
    model, concordance, slope = fit.model, fit.concordance, fit.slope
    return EndpointResult(
        model.endpoint,
        model.cox.n,
        model.cox.events,
        left_out,
        tuple(term.name for term in model.terms),
        dropped,
        (concordance.estimate, concordance.lower, concordance.upper),
        (slope.estimate, slope.lower, slope.upper),
        model.cutoffs,
        model.horizons_months,
    )


def _told(
    bundle: Bundle, fit: SiteFit | LampFit | Learned, endpoints: tuple[EndpointResult, ...], origins: Origins
) -> TrainingResult:
    return TrainingResult(
        bundle=str(bundle.folder),
        name=bundle.metadata.name,
        system=bundle.metadata.nodal.system,
        digest=bundle.digest,
        evidence=bundle.evidence.level,
        trained=fit.trained,
        enabled=bundle.evidence.level == "E0" and fit.trained,
        cohort=bundle.evidence.cohort,
        endpoints=endpoints,
        not_fitted={str(endpoint): reason for endpoint, reason in fit.left_out.items()},
        origins=origins,
    )
