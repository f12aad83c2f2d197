"""CT numbers of the tissues in one examination: plain, with contrast, or at random."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.tissues import TISSUES, Tissue

__all__ = ["hu_of_tissues", "mass_hu"]

AIR_HU = -1000.0
_GAS_HU = -300.0  # below it, lung included: nothing that contrast reaches

# Added in the portal venous phase, about 70 s after the injection, by name and organ [A]; the first that matches.
_VENOUS: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(pattern), hu)
    for pattern, hu in (
        (
            r"brain|spinal_cord|ventricle\||pelvis|ureter|bladder|gas|fluid|content|fat|cartilage|disc|outside|airway",
            2.0,
        ),
        (r"myocardium", 65.0),
        (r"blood|aorta|vena_cava|vein|artery|atrium|ventricle|atrial|iliac|trunk|carotid", 115.0),
        (r"kidney", 135.0),
        (r"spleen", 72.0),
        (r"liver", 52.0),
        (r"pancreas|adrenal|stomach|bowel|duodenum|colon|wall", 48.0),
        (r"thyroid|parotid|tonsil|gland|uterus|prostate", 45.0),
        (r"muscle|autochthon|iliopsoas|gluteus|sternocleido|masseter|pectoralis|tongue|oesophagus|esophagus", 10.0),
    )
)
_ORAL = re.compile(r"(stomach|colon|bowel|duodenum).*(fluid|content)|small_bowel|duodenum")
ORAL_HU, MASS_HU, MASS_VENOUS_HU = 170.0, 46.0, 38.0
_RANDOM_SOFT_HU, _RANDOM_HARD_HU = 45.0, 180.0


def hu_of_tissues(plan: PatientPlan) -> npt.NDArray[np.float32]:
    """CT number of every tissue in this examination, indexed by tissue label, shape (256,)."""
    ct = plan.scan.ct
    table = np.full(256, AIR_HU, dtype=np.float32)
    rng = np.random.default_rng([plan.seed, 14])
    bowel_hu = ORAL_HU * float(rng.uniform(0.5, 1.2))
    for label, tissue in enumerate(TISSUES):
        known = f"{tissue.name}|{tissue.organ or ''}"
        gas = tissue.hu < _GAS_HU
        hu = tissue.hu + (_venous_hu(known) if ct.venous and not gas else 0.0)
        if ct.oral and not gas and _ORAL.search(known):
            hu += bowel_hu
        if ct.random and not gas:
            hu += float(rng.normal(0.0, _random_sd(tissue)))
        table[label] = hu
    return table


def mass_hu(plan: PatientPlan) -> float:
    """CT number of a lesion's soft tissue."""
    return MASS_HU + (MASS_VENOUS_HU if plan.scan.ct.venous else 0.0)


def _venous_hu(known: str) -> float:
    return next((hu for pattern, hu in _VENOUS if pattern.search(known)), 5.0)


def _random_sd(tissue: Tissue) -> float:
    return _RANDOM_HARD_HU if tissue.hu > 150.0 else _RANDOM_SOFT_HU
