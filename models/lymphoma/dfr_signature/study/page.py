"""The tables as a page of the docs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lymphoma.dfr_signature.study.centres import CENTRES
from lymphoma.dfr_signature.study.result import MONTHS, Compared, Group, HazardRatio, Measured
from lymphoma.evaluation.result import Estimate

__all__ = ["StudyWords", "markdown"]

HEAD = """# The DFR signature at two virtual centres

Made by `python -m lymphoma.dfr_signature.study`; do not edit.

{patients} virtual patients as slabs of 10 cm about the largest lesion. Those of {first} teach; those of {second} only
judge: {second}'s scanner blurs more, is noisier, has coarser voxels and lower SUVs, and more of its CTs have contrast.
SUVmax, TMTV and lesions are those within the slab. The mechanism of each patient's risk is known; the log hazard ratio
has a spread of 1. Outcomes were drawn once for each mechanism.

The image network of the signature: {network}. Every step (repeatability, selection, the stack of learners: {learners})
is fitted within the training folds; figures of {first} are out of fold, those of {second} are of a signature and a
model fitted on all of {first}. In brackets are 95 % intervals over patients. One signature is called better than
another only where the paired interval of their difference leaves out 0. Nothing here says anything of real patients,
nor of networks with weights of ImageNet.
"""
MODES = {
    "texture": "heterogeneity of uptake, which a crop shows",
    "burden": "log TMTV, of which a crop that is scaled to its lesion shows little",
    "mixed": "the IMPI (age, stage, burden) and heterogeneity of uptake in equal parts",
    "null": "nothing: no score may order patients",
}
NAMES = {
    "fused": "signature of the fused image",
    "random": "the same by a network of random weights",
    "ct": "signature of the CT alone",
    "pet": "signature of the PET alone",
    "radiomics": "signature of radiomics",
    "combined": "combined model",
    "nccn_ipi": "NCCN-IPI",
    "CT": "combined, by the CT alone",
    "PET": "combined, by the PET alone",
}


@dataclass(frozen=True)
class StudyWords:
    """What the head of the page says. Attributes: patients: of both centres. network, learners: in words."""

    patients: int
    network: str
    learners: str


def markdown(groups: Sequence[Group], words: StudyWords) -> str:
    """The page's text."""
    first, second = (one.name for one in CENTRES)
    parts = [
        HEAD.format(patients=words.patients, first=first, second=second, network=words.network, learners=words.learners)
    ]
    for mode in (one for one in MODES if any(group.mode == one for group in groups)):
        parts.append(f"## Mechanism: {mode}\n\nThe risk comes from {MODES[mode]}.")
        for group in (one for one in groups if one.mode == mode):
            parts += _group(group, first, second)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _group(group: Group, first: str, second: str) -> list[str]:
    title = (
        f"### {group.endpoint.upper()}: {group.learned} patients and {group.events} events at {first}, "
        f"{group.judged} and {group.judged_events} at {second}"
    )
    parts = [title]
    if group.signatures:
        parts += [
            "After the paper's Tables 1 and 4:",
            _measured(group.signatures, f"AUC at {MONTHS:g} months", first, second),
        ]
        parts += _gains(group.signature_gains)
    if group.univariate:
        parts += [f"After the paper's Table 2, at {first}, alone:", _ratios(group.univariate)]
    if group.multivariate:
        parts += ["together, each cut in two:", _ratios(group.multivariate)]
    if group.models:
        parts += ["After the paper's Table 3:", _measured(group.models, "Harrell's C", first, second)]
        parts += _gains(group.model_gains)
    if group.problems:
        parts.append("\n".join(f"- Not computed: {one}." for one in group.problems))
    return parts


def _measured(rows: Sequence[Measured], what: str, first: str, second: str) -> str:
    head = [f"| {what} | {first}, out of fold | {second} |", "|---|---|---|"]
    return "\n".join(
        [*head, *(f"| {_named(one.name)} | {_told(one.over_folds)} | {_told(one.elsewhere)} |" for one in rows)]
    )


def _gains(rows: Sequence[Compared]) -> list[str]:
    lines = [
        f"- {_named(one.first)} less {_named(one.second)}: {_told(one.difference, '+.3f')}. {one.says}" for one in rows
    ]
    return ["\n".join(lines)] if lines else []


def _ratios(rows: Sequence[HazardRatio]) -> str:
    lines = ["| covariate | hazard ratio | p |", "|---|---|---|"]
    for one in rows:
        if one.ratio is None or one.p is None:
            lines.append(f"| {one.name} | {one.problem} | |")
        else:
            lines.append(f"| {one.name} | {one.ratio:.3f} ({one.lower:.3f} to {one.upper:.3f}) | {one.p:.2g} |")
    return "\n".join(lines)


def _named(name: str) -> str:
    return NAMES.get(name, name)


def _told(one: Estimate, form: str = ".3f") -> str:
    if one.value is None:
        return f"not computed: {one.problem}"
    if one.lower is None or one.upper is None:
        return format(one.value, form)
    return f"{one.value:{form}} ({one.lower:{form}} to {one.upper:{form}})"
