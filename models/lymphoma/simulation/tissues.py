"""The tissues of the reference body: uptake and CT number.

SUV of liver 2.17 +- 0.44, blood pool 1.55 +- 0.38, cerebellum 8.0 +- 2.2, palatine tonsil 3.45 +- 1.4, lingual tonsil
3.08 +- 1.05, soft palate 2.92 +- 0.86, sublingual gland 3.3 +- 1.5 and testis 2.57 +- 0.56 are published means; the
other SUVs and the CT numbers are textbook orders of magnitude, taken as assumptions of the generator [A]. Organ names
are those of the TotalSegmentator classes where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BONES",
    "LABELS",
    "LUNGS",
    "MUSCLES",
    "ORGAN_NAMES",
    "SIDES",
    "SOFT",
    "TISSUES",
    "VERTEBRAE",
    "Tissue",
    "labels_of",
]

SIDES: dict[int, str] = {-1: "right", 1: "left"}
"""Sign of x in patient space (LPS) -> side."""


@dataclass(frozen=True)
class Tissue:
    """One homogeneous tissue.

    Attributes:
        organ: the organ it belongs to, None for the rest of the body. suv, suv_sd: mean and patient-to-patient SD.
        hu: CT number. kind: tissues of one kind share a patient's deviation from the mean, as all marrow does.
        shared: its uptake follows the patient's common factor, as that of all but the brain and urine does.
        whole: the larger organ it is a part of ("lung_left", "vertebrae", "heart"), else its organ.
    """

    name: str
    organ: str | None
    suv: float
    suv_sd: float
    hu: float
    kind: str = ""
    shared: bool = True
    whole: str | None = None

    def belongs_to(self, names: tuple[str, ...]) -> bool:
        """Whether its organ, or the whole that is a part of, is among ``names``."""
        return self.organ in names or self.whole in names


LUNGS: tuple[str, ...] = (
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
)
VERTEBRAE: tuple[str, ...] = ("vertebrae_C", "vertebrae_T", "vertebrae_L")
_RIBS: tuple[str, ...] = ("rib_left", "rib_right")
_PAIRED_MUSCLES = (
    "autochthon",
    "iliopsoas",
    "gluteus_maximus",
    "gluteus_medius",
    "sternocleidomastoid",
    "masseter",
    "pectoralis",
)
MUSCLES: tuple[str, ...] = ("muscle", *(f"{muscle}_{side}" for muscle in _PAIRED_MUSCLES for side in ("left", "right")))
"""Names of all tissues of skeletal muscle; "muscle" is what has no name of its own."""

BONES: tuple[str, ...] = (
    "skull",
    *VERTEBRAE,
    "sacrum",
    *_RIBS,
    "sternum",
    *(
        f"{bone}_{side}"
        for bone in ("clavicula", "scapula", "humerus", "forearm", "hip", "femur")
        for side in ("left", "right")
    ),
)
_WHOLES = {**dict.fromkeys(VERTEBRAE, "vertebrae"), **dict.fromkeys(_RIBS, "ribs")}
# mean uptake of marrow: most in the lumbar spine, less upwards, little where it is fatty [A]
_MARROW_SUV = {"vertebrae_L": 1.36, "vertebrae_T": 1.28, "vertebrae_C": 1.08, "sacrum": 1.22, "sternum": 1.05}
_FATTY = ("skull", "humerus_left", "humerus_right", "forearm_left", "forearm_right", "femur_left", "femur_right")


def _bone(name: str) -> tuple[Tissue, Tissue]:
    suv = _MARROW_SUV.get(name, 0.65 if name in _FATTY else 1.0)
    hu = 120.0 if name.startswith("forearm") else 220.0 if name in _FATTY else 190.0
    whole = _WHOLES.get(name)
    return (
        Tissue(f"{name}:cortex", name, 0.6, 0.10, 720.0, kind="cortex", whole=whole),
        Tissue(f"{name}:marrow", name, suv, 0.27 * suv, hu, kind="marrow", whole=whole),
    )


def _pair(name: str, organ: str, suv: float, suv_sd: float, hu: float, shared: bool = True) -> tuple[Tissue, Tissue]:
    return (
        Tissue(f"{name}_left", f"{organ}_left", suv, suv_sd, hu, kind=name, shared=shared),
        Tissue(f"{name}_right", f"{organ}_right", suv, suv_sd, hu, kind=name, shared=shared),
    )


def _chamber(name: str) -> Tissue:
    return Tissue(name, name, 1.60, 0.38, 44.0, kind="blood", whole="heart")


def _vessel(name: str, organ: str) -> Tissue:
    return Tissue(name, organ, 1.55, 0.38, 45.0, kind="blood")


TISSUES: tuple[Tissue, ...] = (
    Tissue("outside", None, 0.0, 0.0, -1000.0),
    Tissue("fat", "subcutaneous_fat", 0.30, 0.10, -102.0, kind="fat"),
    Tissue("visceral_fat", None, 0.40, 0.12, -96.0, kind="fat"),
    Tissue("skin", "skin", 0.45, 0.10, 10.0),
    Tissue("airway", None, 0.15, 0.05, -985.0),
    Tissue("trachea", "trachea", 0.30, 0.08, -985.0),
    Tissue("disc", "intervertebral_discs", 0.75, 0.12, 85.0),
    Tissue("cartilage", "costal_cartilages", 0.60, 0.10, 105.0),
    Tissue("joint", None, 0.70, 0.15, 60.0),
    *(
        Tissue(name, None if name == "muscle" else name, 0.70, 0.15, 52.0, kind="muscle", whole="muscle")
        for name in MUSCLES
    ),
    *_pair("gland", "breast", 0.90, 0.25, 20.0),
    # head and neck
    Tissue("grey_matter", "brain", 9.0, 2.5, 39.0, kind="brain", shared=False),
    Tissue("white_matter", "brain", 3.2, 0.85, 27.0, kind="brain", shared=False),
    Tissue("ventricle", "brain", 1.0, 0.25, 8.0, kind="brain", shared=False),
    Tissue("cerebellum", "brain", 8.0, 2.2, 37.0, kind="brain", shared=False),
    Tissue("spinal_cord", "spinal_cord", 1.8, 0.35, 35.0),
    Tissue("eye", None, 0.8, 0.15, 15.0),
    Tissue("eye_muscle", None, 3.0, 1.0, 45.0),
    Tissue("tongue", "tongue", 1.9, 0.5, 55.0),
    Tissue("soft_palate", "soft_palate", 2.92, 0.86, 45.0),
    Tissue("lingual_tonsil", "lingual_tonsil", 3.08, 1.05, 48.0, kind="tonsil"),
    *_pair("tonsil", "tonsil", 3.45, 1.4, 48.0),
    Tissue("gingiva", None, 1.2, 0.4, 45.0),
    *_pair("parotid", "parotid_gland", 1.8, 0.6, 10.0),
    *_pair("submandibular", "submandibular_gland", 2.1, 0.7, 35.0),
    Tissue("sublingual", "sublingual_gland", 3.3, 1.5, 40.0),
    Tissue("larynx", "larynx", 1.9, 0.7, 60.0),
    Tissue("thyroid", "thyroid_gland", 1.4, 0.4, 105.0),
    # chest
    *(Tissue(lobe, lobe, 0.45, 0.15, -815.0, kind="lung", whole="lung_" + lobe.rsplit("_", 1)[1]) for lobe in LUNGS),
    Tissue("oesophagus", "esophagus", 1.7, 0.4, 40.0, kind="oesophagus"),
    Tissue("oesophagus_lower", "esophagus", 1.9, 0.45, 40.0, kind="oesophagus"),
    *(_chamber(f"heart_{part}_{side}") for part in ("atrium", "ventricle") for side in ("left", "right")),
    Tissue("myocardium", "heart_myocardium", 3.0, 0.0, 52.0, shared=False, whole="heart"),
    Tissue("myocardium_focus", "heart_myocardium", 3.0, 0.0, 52.0, shared=False, whole="heart"),
    _vessel("blood", "blood_vessels"),
    _vessel("aorta", "aorta"),
    _vessel("pulmonary_artery", "pulmonary_artery"),
    _vessel("superior_vena_cava", "superior_vena_cava"),
    _vessel("vena_cava", "inferior_vena_cava"),
    _vessel("portal_vein", "portal_vein_and_splenic_vein"),
    *(
        _vessel(f"{vessel}_{side}", f"{vessel}_{side}")
        for vessel in ("common_carotid_artery", "iliac_artery", "iliac_vena")
        for side in ("left", "right")
    ),
    # abdomen
    Tissue("liver", "liver", 2.17, 0.44, 58.0),
    Tissue("spleen", "spleen", 1.80, 0.35, 49.0),
    Tissue("pancreas", "pancreas", 1.50, 0.30, 38.0),
    Tissue("gallbladder", "gallbladder", 0.7, 0.15, 8.0),
    *_pair("adrenal", "adrenal_gland", 1.4, 0.3, 28.0),
    Tissue("stomach_wall", "stomach", 2.2, 0.7, 45.0, kind="gut"),
    Tissue("stomach_fluid", "stomach", 0.8, 0.2, 12.0),
    Tissue("stomach_gas", "stomach", 0.2, 0.05, -920.0),
    Tissue("duodenum", "duodenum", 2.2, 0.7, 34.0, kind="gut"),
    *(Tissue(name, "small_bowel", 1.6, 0.5, 32.0, kind="gut") for name in ("jejunum", "ileum")),
    *(
        Tissue(f"colon_{part}_wall", "colon", 1.7, 0.5, 38.0, kind="colon")
        for part in ("ascending", "transverse", "descending", "sigmoid", "rectum")
    ),
    *(
        Tissue(f"colon_{part}_content", "colon", 0.9, 0.25, 15.0, kind="colon")
        for part in ("ascending", "transverse", "descending", "sigmoid", "rectum")
    ),
    Tissue("colon_gas", "colon", 0.3, 0.05, -900.0),
    *_pair("kidney", "kidney", 3.0, 1.0, 33.0),
    *_pair("renal_pelvis", "kidney", 12.0, 0.0, 10.0, shared=False),
    *_pair("ureter", "ureter", 1.6, 0.0, 15.0, shared=False),
    Tissue("bladder", "urinary_bladder", 20.0, 0.0, 8.0, shared=False),
    Tissue("prostate", "prostate", 1.7, 0.4, 42.0),
    *_pair("testis", "testis", 2.57, 0.56, 32.0),
    Tissue("uterus", "uterus", 1.8, 0.4, 48.0),
    Tissue("endometrium", "uterus", 2.0, 0.5, 40.0),
    *_pair("ovary", "ovary", 1.4, 0.4, 30.0),
    *(tissue for bone in BONES for tissue in _bone(bone)),
)

LABELS: dict[str, int] = {tissue.name: number for number, tissue in enumerate(TISSUES)}

_ORGANS = tuple(dict.fromkeys(tissue.organ for tissue in TISSUES if tissue.organ is not None))
ORGAN_NAMES: dict[int, str] = dict(enumerate(_ORGANS, start=1))
"""Label of the organ map -> organ."""

SOFT: tuple[str, ...] = (
    "fat", "visceral_fat", *MUSCLES, "gland_left", "gland_right", "oesophagus", "oesophagus_lower", "pancreas",
    "cartilage", "blood", "superior_vena_cava", "vena_cava", "portal_vein", "pulmonary_artery",
    *(f"iliac_{kind}_{side}" for kind in ("artery", "vena") for side in ("left", "right")),
)  # fmt: skip
"""Tissues that a node or a mass displaces or encases."""


def labels_of(*names: str) -> list[int]:
    """Labels of the tissues whose name, organ or whole is one of ``names``."""
    return [number for number, tissue in enumerate(TISSUES) if tissue.name in names or tissue.belongs_to(names)]
