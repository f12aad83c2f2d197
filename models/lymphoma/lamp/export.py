"""Fitted heads as a bundle, with the evidence that their own cross-fitting gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lymphoma.evaluation.own_evidence import SystemWords, kept_out_of_fold, own_description, own_evidence
from lymphoma.lamp.arms import train_config
from lymphoma.lamp.ensemble import SETUP_WORD, Setup
from lymphoma.lamp.fit import EndpointFit, LampFit
from lymphoma.lamp.patients import LampCohort
from lymphoma.lamp.system import RANGE_NETWORK
from lymphoma.prognosis.pooled import FEATURES
from lymphoma.training.bundle import Bundle, Survival, export_bundle
from lymphoma.training.evidence import MetricEstimate
from lymphoma.training.metadata import TensorFormat
from lymphoma.training.weights import Tensors

__all__ = ["VERSION", "export_lamp"]

VERSION = "1.0.0"


def export_lamp(
    folder: Path,
    fit: LampFit,
    cohort: LampCohort,
    *,
    name: str,
    generator: str | None = None,
    folds_digest: str | None = None,
    keep_out_of_fold: bool = True,
    limits: Sequence[str] = (),
) -> Bundle:
    """Writes the bundle: level E0 for virtual patients, else E1, which loads only after an acceptance run.

    Args:
        name: of the bundle. generator: of virtual patients. folds_digest: SHA-256 of the file of folds that were given.
        keep_out_of_fold: predictions of the training patients go along. limits: further sentences for the card.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS``.
    """
    patients = cohort.patients
    losses = [loss for one in fit.endpoints for loss in _losses(one, patients.cohort)]
    heads = {one.heads.endpoint: tuple(head.name for head in one.heads.heads) for one in fit.endpoints}
    arm = fit.config.chosen
    setup = Setup(cohort.source.network, cohort.source.organ_names, arm.name, arm.shape, heads)
    networks: dict[str, Tensors] = {
        head.name: head.network.state_dict() for one in fit.endpoints for head in one.heads.heads
    }
    networks[RANGE_NETWORK] = fit.summary.tensors()
    holds = Survival(
        tuple(one.fit.model for one in fit.endpoints),
        kept_out_of_fold(patients, [(one.fit, one.heads.index) for one in fit.endpoints]) if keep_out_of_fold else None,
        {SETUP_WORD: setup.to_json()},
    )
    return export_bundle(
        folder,
        own_description(
            patients,
            _words(fit, cohort, limits),
            name=name,
            folds=len(fit.endpoints[0].heads.parts),
            folds_digest=folds_digest,
            generator=generator,
        ),
        networks,
        train_config(arm, fit.config.seed, fit.config.steps),
        fit.statistics,
        own_evidence(patients, [one.fit for one in fit.endpoints], fit.trained, losses),
        survival=holds,
    )


def _losses(one: EndpointFit, cohort: str) -> list[MetricEstimate]:
    found = (("nll", one.heads.nll), ("constant_hazard_nll", one.heads.null_nll))
    return [MetricEstimate(f"{one.heads.endpoint}_{what}", value, None, None, cohort) for what, value in found]


def _words(fit: LampFit, cohort: LampCohort, limits: Sequence[str]) -> SystemWords:
    arm = fit.config.chosen
    return SystemWords(
        "lamp",
        VERSION,
        "Survival of patients with aggressive lymphoma from the lesions of baseline FDG PET/CT and their anatomy",
        f"Attention over lesions with anatomical context (LAMP); arm {arm.name}: {arm.says}.",
        inputs={
            "lesions": _rows("lesions", "pooled feature of the lesion network"),
            "organs": _rows("organs", "pooled feature of the lesion network"),
        },
        outputs={"risk": _risk(fit)},
        limits=(*_limits(fit, cohort), *limits),
    )


def _rows(rows: str, meaning: str) -> TensorFormat:
    return TensorFormat(
        "features", "pooled", FEATURES, (rows,), "float32", (), False, {"0..63": f"{meaning}, fused", "64..95": "PET",
        "96..127": "CT"}
    )  # fmt: skip


def _risk(fit: LampFit) -> TensorFormat:
    names = {str(at): f"risk of {one.heads.endpoint.upper()}" for at, one in enumerate(fit.endpoints)}
    return TensorFormat("features", "risk", len(names), (1,), "float32", (), False, names)


def _limits(fit: LampFit, cohort: LampCohort) -> list[str]:
    source, heads = cohort.source, fit.endpoints[0].heads
    said = [
        f"Reads features of the lesion network {source.network} and of no other; the features are frozen.",
        f"Lesions as drawn by: {source.way}.",
        f"Risk is the mean of {len(heads.heads)} heads, {fit.config.seeds} a fold; survival was fitted on the risk of "
        f"the {fit.config.seeds} that never saw the patient, which scatters more.",
        "Attention tells which lesions the risk was read from, not which cause it.",
    ]
    if cohort.without_lesion:
        said.append(f"{cohort.without_lesion} patients without an accepted lesion were left out; none such is judged.")
    if fit.config.chosen.deviates:
        said.append(f"Deviates from the published configuration in: {fit.config.chosen.deviates}.")
    said += [f"No model of {endpoint.upper()}: {reason}." for endpoint, reason in fit.left_out.items()]
    return said
