"""Fitted networks as a bundle, with the evidence that their own cross-fitting gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lymphoma.deepmts.ensemble import SETUP_WORD, Setup
from lymphoma.deepmts.fit import DeepMtsFit, EndpointFit
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.own_evidence import SystemWords, kept_out_of_fold, own_description, own_evidence
from lymphoma.prognosis.cross_fit import CrossFit
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.follow_up import Ints
from lymphoma.training.bundle import Bundle, Survival, export_bundle
from lymphoma.training.evidence import MetricEstimate
from lymphoma.training.metadata import TensorFormat
from lymphoma.training.weights import Tensors

__all__ = ["VERSION", "export_deepmts"]

VERSION = "1.0.0"

ARMS = {
    "multi_task": "residual U-Net and cascaded DenseNet that segment and predict survival together",
    "single_task": "baseline: a 3D network on PET and CT that predicts survival alone",
    "mask_only": "control: a 3D network that sees the lesion mask and no image",
}


def export_deepmts(
    folder: Path,
    fit: DeepMtsFit,
    cohort: InputCohort,
    *,
    name: str,
    generator: str | None = None,
    folds_digest: str | None = None,
    keep_out_of_fold: bool = True,
    limits: Sequence[str] = (),
    models: Mapping[Endpoint, tuple[CrossFit, Ints]] | None = None,
    further: Mapping[str, str] | None = None,
) -> Bundle:
    """Writes the bundle: level E0 for virtual patients, else E1, which loads only after an acceptance run.

    Args:
        cohort: whom survival was fitted on; of a disjoint fit those who judged. name: of the bundle.
        generator: of virtual patients. folds_digest: SHA-256 of the file of folds that were given.
        keep_out_of_fold: predictions of the cohort's patients go along. limits: further sentences for the card.
        models: in place of the survival of the networks' risk alone, such as the nomogram's, each with the positions
            in the cohort of the patients it was fitted on. further: word -> JSON, kept beside the weights.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS``.
    """
    patients, config = cohort.patients, fit.config
    own = {one.fit.model.endpoint: (one.fit, one.networks.index) for one in fit.endpoints}
    held = {**own, **(models or {})}
    networks: dict[str, Tensors] = {
        one.name: one.network.state_dict() for part in fit.endpoints for one in part.networks.networks
    }
    listed = {one.networks.endpoint: {each.name: each.scale for each in one.networks.networks} for one in fit.endpoints}
    setup = Setup(config.arm, config.shape, config.field, listed)
    figures = [figure for one in fit.endpoints for figure in _figures(one, patients.cohort)]
    holds = Survival(
        tuple(one.model for one, _ in held.values()),
        kept_out_of_fold(patients, list(held.values())) if keep_out_of_fold else None,
        {SETUP_WORD: setup.to_json(), **(further or {})},
    )
    return export_bundle(
        folder,
        own_description(
            patients,
            _words(fit, limits),
            name=name,
            folds=1 if fit.disjoint else len(fit.endpoints[0].networks.parts),
            folds_digest=folds_digest,
            generator=generator,
        ),
        networks,
        config.training,
        fit.statistics,
        own_evidence(patients, [one for one, _ in held.values()], fit.trained, figures),
        survival=holds,
    )


def _figures(one: EndpointFit, cohort: str) -> list[MetricEstimate]:
    found = {"cox_loss": one.nll, "equal_risk_cox_loss": one.null_nll, "dice": one.networks.dice}
    endpoint = one.networks.endpoint
    return [
        MetricEstimate(f"{endpoint}_{what}", value, None, None, cohort)
        for what, value in found.items()
        if np.isfinite(value)
    ]


def _words(fit: DeepMtsFit, limits: Sequence[str]) -> SystemWords:
    config = fit.config
    return SystemWords(
        "deepmts",
        VERSION,
        "Survival of patients with aggressive lymphoma from baseline FDG PET/CT of the body",
        f"DeepMTS, arm {config.arm}: {ARMS[config.arm]}.",
        inputs=_inputs(fit),
        outputs={"risk": _risk(fit)},
        limits=(*_limits(fit), *limits),
    )


def _inputs(fit: DeepMtsFit) -> dict[str, TensorFormat]:
    size = fit.config.field.size
    if fit.config.arm == "mask_only":
        return {"mask": TensorFormat("image", "mask", 1, size, "float32", (0.0, 1.0), False, {"0": "lesion"})}
    channels = {"0": "PET, SUV cut at 25 and divided by 5", "1": "CT, cut at 1024 HU either way and divided by it"}
    return {"image": TensorFormat("image", "SUV and HU", 2, size, "float32", (-1.0, 5.0), False, channels)}


def _risk(fit: DeepMtsFit) -> TensorFormat:
    names = {str(at): f"risk of {one.networks.endpoint.upper()}" for at, one in enumerate(fit.endpoints)}
    return TensorFormat("features", "risk", len(names), (1,), "float32", (), False, names)


def _limits(fit: DeepMtsFit) -> list[str]:
    config, networks = fit.config, fit.endpoints[0].networks
    high, deep, wide = (edge * config.field.edge_mm for edge in config.field.size)
    said = [
        "Published on the primary tumour of nasopharyngeal carcinoma; here it learned with the lesion mask of the "
        "whole body, and in place of a crop of the tumour sees the body from the skull base to mid-thigh.",
        f"Sees voxels of {config.field.edge_mm:g} mm in a field of {high:.0f} x {deep:.0f} x {wide:.0f} mm; lesions of "
        "a few millilitres are one or two voxels, and uptake within them is averaged.",
        "A patient with over 5 % of the lesion volume outside the field, such as in the brain, is not judged.",
    ]
    if config.arm == "multi_task":
        said.append("A voxel counts as lesion from a fifth on: its own mask is wider than the lesions it was taught.")
    if config.arm == "multi_task" and config.losses.segment_first:
        said.append(f"Learned to segment alone for {config.losses.segment_first} updates, then both tasks together.")
    if fit.disjoint:
        said.append("One network an endpoint, trained on other patients than the cohort named here, to whom it is new.")
    else:
        said.append(
            f"Risk is the mean of {len(networks.networks)} networks; survival was fitted on the risk by the one that "
            "never saw the patient, which scatters more."
        )
    said += [f"No model of {endpoint.upper()}: {reason}." for endpoint, reason in fit.left_out.items()]
    return said
