"""Fitted networks as a bundle, with the evidence that their own fit gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.evaluation.own_evidence import SystemWords, kept_out_of_fold, own_description, own_evidence
from lymphoma.multitask_unet.ensemble import SETUP_WORD, Member, Setup
from lymphoma.multitask_unet.fit import MultitaskFit
from lymphoma.multitask_unet.inputs import SUV_MOST, WAY
from lymphoma.multitask_unet.shape import MODELS
from lymphoma.multitask_unet.system import CHANCE_NAME
from lymphoma.training.bundle import Bundle, Survival, export_bundle
from lymphoma.training.evidence import MetricEstimate
from lymphoma.training.metadata import TensorFormat

__all__ = ["VERSION", "export_multitask_unet"]

VERSION = "1.0.0"


def export_multitask_unet(
    folder: Path,
    fit: MultitaskFit,
    cohort: InputCohort,
    *,
    name: str,
    generator: str | None = None,
    folds_digest: str | None = None,
    keep_out_of_fold: bool = True,
    limits: Sequence[str] = (),
) -> Bundle:
    """Writes the bundle: level E0 for virtual patients, else E1, which loads only after an acceptance run.

    Args:
        cohort: that was judged. name: of the bundle. generator: of virtual patients. folds_digest: SHA-256 of the file
            of folds that were given. keep_out_of_fold: predictions of the judged patients go along.
        limits: further sentences for the card.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS``.
    """
    patients, config = cohort.patients, fit.config
    members = tuple(Member(one.name, one.shift) for one in fit.networks)
    setup = Setup(config.model, config.size, config.widths, WAY, members)
    survivals = [(one.survival, one.index) for one in fit.endpoints]
    holds = Survival(
        tuple(one.survival.model for one in fit.endpoints),
        kept_out_of_fold(patients, survivals) if keep_out_of_fold else None,
        {SETUP_WORD: setup.to_json()},
    )
    return export_bundle(
        folder,
        own_description(
            patients,
            _words(fit, limits),
            name=name,
            folds=1 if fit.learned_on else len(fit.networks),
            folds_digest=folds_digest,
            generator=generator,
        ),
        {one.name: one.network.state_dict() for one in fit.networks},
        fit.networks[0].training,
        fit.statistics,
        own_evidence(patients, [one.survival for one in fit.endpoints], fit.trained, _figures(fit, patients.cohort)),
        survival=holds,
    )


def _figures(fit: MultitaskFit, cohort: str) -> list[MetricEstimate]:
    found = (
        ("event_24m_auc_naive", fit.events.auc),
        ("event_24m_nll", fit.events.nll),
        ("event_24m_constant_nll", fit.events.null_nll),
    )
    return [MetricEstimate(name, value, None, None, cohort) for name, value in found]


def _words(fit: MultitaskFit, limits: Sequence[str]) -> SystemWords:
    config = fit.config
    return SystemWords(
        "multitask_unet",
        VERSION,
        "Chance of an event within 24 months in aggressive lymphoma from baseline FDG PET",
        f"Multi-task U-Net with deep supervision, model {config.model} of the paper, on the PET alone.",
        inputs={
            "pet": TensorFormat(
                "image", "SUV by body weight", 1, config.size, "float32", (0.0, SUV_MOST), False, {"0": "PET"}
            )
        },
        outputs={
            CHANCE_NAME: TensorFormat(
                "probabilities", "chance", 1, (1,), "float32", (0.0, 1.0), False, {"0": "event within 24 months"}
            )
        },
        limits=(*_limits(fit), *limits),
    )


def _limits(fit: MultitaskFit) -> list[str]:
    config, events = fit.config, fit.events
    learned = ", ".join(
        f"{one.patients} ({one.events} with an event; {one.excluded} left out, censored before 24 months)"
        for one in fit.networks
    )
    said = [
        "Reads the PET alone, in a field of 815 x 352 x 440 mm from the skull base downward; what lies outside is "
        "not seen, and a patient with more than 5 % of the lesions' volume outside is not judged.",
        f"Patients learned from by each network: {learned}.",
        f"Figures of the 24-month event are naive: {events.patients} patients with a known kind, {events.events} with "
        f"an event, {events.excluded} left out because they were censored before.",
        "The chance is brought back from the class weights to the share of events among the patients learned from.",
        "Its own lesion maps are a training signal and are not reported.",
    ]
    if config.weighting == "ipcw":
        said.append("Patients with a known kind were weighted for those censored before 24 months.")
    if fit.learned_on:
        said.append(f"One network, trained on {fit.learned_on}, patients that the survival models did not see.")
    else:
        said.append(f"The chance is the mean of {len(fit.networks)} networks in log odds; survival was fitted on that "
                    "of the one that never saw the patient, which scatters more.")  # fmt: skip
    if config.size != MODELS["ours"].size or config.widths != MODELS["ours"].widths:
        said.append(f"Smaller than published: {_by(config.size)} voxels and {_by(config.widths)} channels, not "
                    f"{_by(MODELS['ours'].size)} and {_by(MODELS['ours'].widths)}.")  # fmt: skip
    return [*said, *(f"No model of {endpoint.upper()}: {reason}." for endpoint, reason in fit.left_out.items())]


def _by(numbers: Sequence[int]) -> str:
    return "x".join(map(str, numbers))
