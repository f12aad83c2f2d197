"""The tissues of the reference body: uptake and CT number.

SUV of liver 2.17 +- 0.44, blood pool 1.55 +- 0.38, cerebellum 8.0 +- 2.2 and palatine tonsil 3.45 +- 1.4 are published
means; the other SUVs and the CT numbers are textbook orders of magnitude, taken as assumptions of the generator.
Organ names are those of the TotalSegmentator classes where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BONES", "LABELS", "ORGAN_NAMES", "TISSUES", "Tissue"]


@dataclass(frozen=True)
class Tissue:
    """One homogeneous tissue.

    Attributes:
        organ: the organ it belongs to, None for the rest of the body. suv, suv_sd: mean and patient-to-patient SD.
        hu: CT number. shared: its uptake follows the patient's common factor.
    """

    name: str
    organ: str | None
    suv: float
    suv_sd: float
    hu: float
    shared: bool = True


BONES: tuple[str, ...] = (
    "skull",
    "vertebrae",
    "sacrum",
    "ribs",
    "sternum",
    "clavicula_left",
    "clavicula_right",
    "scapula_left",
    "scapula_right",
    "humerus_left",
    "humerus_right",
    "hip_left",
    "hip_right",
    "femur_left",
    "femur_right",
)


def _bone(name: str) -> tuple[Tissue, Tissue]:
    marrow = (0.9, 220.0) if name in ("skull", "humerus_left", "humerus_right") else (1.35, 190.0)
    return (
        Tissue(f"{name}:cortex", name, 0.7, 0.1, 720.0),
        Tissue(f"{name}:marrow", name, marrow[0], 0.25, marrow[1]),
    )


TISSUES: tuple[Tissue, ...] = (
    Tissue("outside", None, 0.0, 0.0, -1000.0),
    Tissue("fat", None, 0.28, 0.06, -102.0),
    Tissue("muscle", None, 0.70, 0.12, 52.0),
    Tissue("visceral_fat", None, 0.40, 0.08, -96.0),
    Tissue("airway", None, 0.15, 0.05, -985.0),
    Tissue("disc", None, 0.75, 0.10, 85.0),
    Tissue("cartilage", None, 0.60, 0.10, 105.0),
    Tissue("skin", None, 0.45, 0.08, 10.0),
    Tissue("gland", None, 0.90, 0.20, 20.0),
    Tissue("blood", None, 1.55, 0.25, 45.0),
    Tissue("eye", None, 0.8, 0.15, 15.0),
    Tissue("tongue", None, 2.2, 0.5, 55.0),
    Tissue("tonsil", "tonsil", 3.45, 0.6, 48.0),
    Tissue("parotid", "parotid", 1.8, 0.4, 15.0),
    Tissue("thyroid", "thyroid_gland", 1.4, 0.3, 105.0),
    Tissue("grey_matter", "brain", 10.0, 1.6, 39.0, shared=False),
    Tissue("white_matter", "brain", 3.6, 0.6, 27.0, shared=False),
    Tissue("ventricle", "brain", 1.2, 0.2, 8.0, shared=False),
    Tissue("cerebellum", "brain", 8.0, 1.3, 37.0, shared=False),
    Tissue("spinal_cord", "spinal_cord", 1.7, 0.3, 35.0),
    Tissue("lung_left", "lung_left", 0.45, 0.08, -810.0),
    Tissue("lung_right", "lung_right", 0.45, 0.08, -810.0),
    Tissue("oesophagus", "esophagus", 1.7, 0.3, 40.0),
    Tissue("heart_blood", "heart", 1.6, 0.25, 44.0),
    Tissue("myocardium", "heart", 3.0, 0.0, 52.0, shared=False),
    Tissue("aorta", "aorta", 1.55, 0.25, 45.0),
    Tissue("vena_cava", "inferior_vena_cava", 1.50, 0.25, 45.0),
    Tissue("liver", "liver", 2.17, 0.25, 58.0),
    Tissue("spleen", "spleen", 1.80, 0.25, 49.0),
    Tissue("pancreas", "pancreas", 1.50, 0.25, 38.0),
    Tissue("gallbladder", "gallbladder", 0.7, 0.15, 8.0),
    Tissue("adrenal_left", "adrenal_gland_left", 1.4, 0.3, 28.0),
    Tissue("adrenal_right", "adrenal_gland_right", 1.4, 0.3, 28.0),
    Tissue("stomach_wall", "stomach", 2.0, 0.5, 45.0),
    Tissue("stomach_fluid", "stomach", 0.7, 0.1, 12.0),
    Tissue("stomach_gas", "stomach", 0.2, 0.05, -920.0),
    Tissue("colon_wall", "colon", 1.7, 0.5, 38.0),
    Tissue("colon_content", "colon", 0.8, 0.2, 20.0),
    Tissue("colon_gas", "colon", 0.3, 0.05, -900.0),
    Tissue("small_bowel", "small_bowel", 1.4, 0.35, 32.0),
    Tissue("kidney_left", "kidney_left", 3.0, 0.6, 33.0),
    Tissue("kidney_right", "kidney_right", 3.0, 0.6, 33.0),
    Tissue("renal_pelvis_left", "kidney_left", 12.0, 0.0, 12.0, shared=False),
    Tissue("renal_pelvis_right", "kidney_right", 12.0, 0.0, 12.0, shared=False),
    Tissue("ureter_left", "ureter_left", 5.0, 0.0, 15.0, shared=False),
    Tissue("ureter_right", "ureter_right", 5.0, 0.0, 15.0, shared=False),
    Tissue("bladder", "urinary_bladder", 20.0, 0.0, 8.0, shared=False),
    Tissue("prostate", "prostate", 1.6, 0.3, 42.0),
    Tissue("uterus", "uterus", 1.8, 0.4, 48.0),
    *(tissue for bone in BONES for tissue in _bone(bone)),
)

LABELS: dict[str, int] = {tissue.name: number for number, tissue in enumerate(TISSUES)}

_ORGANS = tuple(dict.fromkeys(tissue.organ for tissue in TISSUES if tissue.organ is not None))
ORGAN_NAMES: dict[int, str] = dict(enumerate(_ORGANS, start=1))
"""Label of the organ map -> organ."""
