"""Fitted signatures as a bundle, with the evidence that their own cross-fitting gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lymphoma.dfr_signature.archive import as_tensors
from lymphoma.dfr_signature.backbones import Backbone
from lymphoma.dfr_signature.config import WeightsConfig
from lymphoma.dfr_signature.ensemble import BACKBONE, SETUP_WORD, Setup, signature_network
from lymphoma.dfr_signature.fit import DfrFit, EndpointFit
from lymphoma.dfr_signature.inputs import way_of
from lymphoma.dfr_signature.keras_networks import SIDE
from lymphoma.evaluation.own_evidence import SystemWords, kept_out_of_fold, own_description, own_evidence
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.cross_fit import CrossFit
from lymphoma.prognosis.four_way import four_way_to_json
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.follow_up import Ints
from lymphoma.training.bundle import Bundle, Survival, export_bundle
from lymphoma.training.config import TrainConfig
from lymphoma.training.metadata import TensorFormat
from lymphoma.training.statistics import RangeStatistics

__all__ = ["VERSION", "export_dfr"]

VERSION = "1.0.0"


def export_dfr(
    folder: Path,
    fit: DfrFit,
    patients: Patients,
    backbone: Backbone,
    statistics: RangeStatistics,
    *,
    name: str,
    generator: str | None = None,
    folds_digest: str | None = None,
    keep_out_of_fold: bool = True,
    limits: Sequence[str] = (),
    models: Mapping[Endpoint, tuple[CrossFit, Ints]] | None = None,
) -> Bundle:
    """Writes the bundle: level E0 for virtual patients, else E1, which loads only after an acceptance run.

    Args:
        patients: whom survival was fitted on. backbone: whose features were read, of weights as a bundle keeps them
            (float16).
        statistics: of :func:`lymphoma.dfr_signature.range.range_features`. name: of the bundle. generator: of virtual
            patients. folds_digest: SHA-256 of the file of folds that were given. keep_out_of_fold: predictions of the
            patients go along. limits: further sentences for the card. models: in place of the signatures' own survival,
            such as the combined model, each with the positions of its patients.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS``.
    """
    own: dict[Endpoint, tuple[CrossFit, Ints]] = {one.endpoint: (one.fit, one.index) for one in fit.endpoints}
    kept = [{**own, **(models or {})}[one.endpoint] for one in fit.endpoints]
    setup = Setup(
        replace(fit.config, weights=WeightsConfig("shipped")),
        way_of(fit.config.inputs),
        backbone.origin,
        {one.endpoint: one.whole.signature.digest for one in fit.endpoints},
        {one.endpoint: one.whole.selection.to_json() for one in fit.endpoints},
    )
    groups = {f"four_way_{one.endpoint}": four_way_to_json(one.groups) for one in fit.endpoints if one.groups}
    signatures = {signature_network(one.endpoint): as_tensors(one.whole.signature.archive) for one in fit.endpoints}
    return export_bundle(
        folder,
        own_description(
            patients,
            _words(fit, backbone, limits),
            name=name,
            folds=1 if fit.disjoint else len(fit.endpoints[0].parts),
            folds_digest=folds_digest,
            generator=generator,
        ),
        {BACKBONE: backbone.tensors(), **signatures},
        TrainConfig(steps=1, seed=fit.config.seed),
        statistics,
        own_evidence(patients, [one for one, _ in kept], fit.trained),
        survival=Survival(
            tuple(one.model for one, _ in kept),
            kept_out_of_fold(patients, kept) if keep_out_of_fold else None,
            {SETUP_WORD: setup.to_json(), **groups},
        ),
    )


def _words(fit: DfrFit, backbone: Backbone, limits: Sequence[str]) -> SystemWords:
    names = {str(at): f"chance of the event, {one.endpoint.upper()}" for at, one in enumerate(fit.endpoints)}
    return SystemWords(
        "dfr_signature",
        VERSION,
        "Chance of an event in aggressive lymphoma from deep features of the largest lesion on fused FDG PET/CT",
        f"DFR signature: ten of a thousand features of {backbone.words}, of the {fit.config.image} image, in "
        "AutoGluon's stack of learners.",
        inputs={
            "crop": TensorFormat(
                "image", "grey levels", 3, (SIDE, SIDE), "float32", (0.0, 255.0), False, {"0": fit.config.image}
            )
        },
        outputs={
            "signature": TensorFormat("probabilities", "chance", len(names), (1,), "float32", (0.0, 1.0), False, names)
        },
        limits=(*_limits(fit), *limits),
    )


def _limits(fit: DfrFit) -> list[str]:
    said = [
        "The chance is of an event during the follow-up of the training patients"
        + (", whose censoring it does not know." if fit.config.label == "event" else ", within 24 months."),
        "One signature an endpoint, fitted on other patients than the cohort named here, to whom it is new."
        if fit.disjoint
        else f"Survival was fitted on the chances by {fit.config.folds} signatures that never saw the patient.",
        *(_selected(one) for one in fit.endpoints),
        *(
            f"No groups with the NCCN-IPI of {one.endpoint.upper()}: {one.no_groups}."
            for one in fit.endpoints
            if one.no_groups
        ),
    ]
    return [*said, *(f"No model of {endpoint.upper()}: {reason}." for endpoint, reason in fit.left_out.items())]


def _selected(one: EndpointFit) -> str:
    chosen = one.whole.selection
    return (
        f"{one.endpoint.upper()}: {chosen.repeatable} of {chosen.offered} features have an ICC above "
        f"{chosen.settings.least_icc:g}; {len(chosen.columns)} were taken."
    )
