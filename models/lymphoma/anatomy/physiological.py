"""Organs that take up FDG without disease, for every organ map that the engines give.

Which organs, and why, are those of procedure guidelines for FDG PET/CT (EANM 2.0, Eur J Nucl Med Mol Imaging
2015;42:328) and of any reader's experience; how often they pass SUV 4 is a coarse order [A].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.stations import plain_organ

__all__ = [
    "PHYSIOLOGICAL",
    "HowOften",
    "Physiological",
    "physiological_names",
    "untold",
    "uptake_of",
]

HowOften = Literal["always", "often", "seldom"]


@dataclass(frozen=True)
class Physiological:
    """One organ.

    Attributes:
        organ: as :func:`lymphoma.anatomy.stations.plain_organ` gives it, without side, level or lobe.
        above_4: how often healthy uptake passes SUV 4. "always": nearly every scan; in the brain and the urinary tract
            uptake counts as physiological until something else speaks against it. "often": in some patients, in
            others not. "seldom": uptake over 4 is disease, activation or inflammation, rarely health.
        why: what makes the uptake, in words for the report.
    """

    organ: str
    above_4: HowOften
    why: str


_GUT = "bowel wall and content, most under metformin"
_MUSCLE = "muscle work or insulin before the scan"
_TONSIL = "lymphatic tissue of the throat, symmetrical"
_SALIVA = "saliva"

_TABLE = (
    Physiological("brain", "always", "glucose is its fuel"),
    Physiological("kidney", "always", "tracer is excreted in the urine"),
    Physiological("ureter", "always", "urine, in columns that come and go"),
    Physiological("urinary_bladder", "always", "urine"),
    Physiological("heart", "often", "myocardium burns glucose where the patient did not fast long enough"),
    Physiological("stomach", "often", "wall, mostly the fundus"),
    Physiological("duodenum", "often", _GUT),
    Physiological("small_bowel", "often", _GUT),
    Physiological("colon", "often", _GUT),
    Physiological("esophagus", "often", "reflux, mostly at the lower end"),
    Physiological("tonsil", "often", _TONSIL),
    Physiological("lingual_tonsil", "often", _TONSIL),
    Physiological("soft_palate", "often", _TONSIL),
    Physiological("parotid_gland", "often", _SALIVA),
    Physiological("submandibular_gland", "often", _SALIVA),
    Physiological("sublingual_gland", "often", _SALIVA),
    Physiological("tongue", "often", "work of the tongue's muscles"),
    Physiological("larynx", "often", "talking after injection"),
    Physiological("thyroid_gland", "often", "thyroiditis, or normal"),
    Physiological("testis", "often", "germ cells, less with age"),
    Physiological("uterus", "often", "endometrium in mid-cycle and menses"),
    Physiological("ovary", "often", "ovulation, one-sided"),
    Physiological("prostate", "often", "urine in the urethra"),
    Physiological("breast", "often", "glandular tissue, most when nursing"),
    *(
        Physiological(muscle, "often", _MUSCLE)
        for muscle in (
            "skeletal_muscle",
            "muscle",
            "autochthon",
            "iliopsoas",
            "gluteus_maximus",
            "gluteus_medius",
            "gluteus_minimus",
            "sternocleidomastoid",
            "masseter",
            "pectoralis",
        )
    ),
    Physiological("liver", "seldom", "background of 2 to 3, even"),
    Physiological("spleen", "seldom", "background below the liver's; higher when activated"),
    Physiological("pancreas", "seldom", "background below the liver's"),
    Physiological("adrenal_gland", "seldom", "stress, symmetrical"),
)

PHYSIOLOGICAL: Mapping[str, Physiological] = MappingProxyType({one.organ: one for one in _TABLE})
"""Plain organ name -> what is known of its uptake. Bone marrow is not among them: growth factors light all of it up,
and then no border tells it from disease."""


def uptake_of(name: str) -> Physiological | None:
    """What is known of an organ's healthy uptake; None where it has none to speak of.

    Args:
        name: as any organ map calls it ("kidney_left", "heart_myocardium", "vertebrae_T").
    """
    return PHYSIOLOGICAL.get(plain_organ(name))


def physiological_names(anatomy: Anatomy, above_4: tuple[HowOften, ...] = ("always", "often")) -> tuple[str, ...]:
    """The organs of this map whose healthy uptake passes SUV 4 as often as asked, by the names of the map.

    Returns:
        Fit for :meth:`Anatomy.mask`; in alphabetical order, empty without an organ map.
    """
    if anatomy.organs is None:
        return ()
    known = ((name, uptake_of(name)) for name in anatomy.names.values())
    return tuple(sorted({name for name, one in known if one is not None and one.above_4 in above_4}))


def untold(anatomy: Anatomy) -> tuple[str, ...]:
    """Organs with uptake over SUV 4 in health that this map does not know, so that theirs cannot be told from disease.

    Muscles are left out: a map may know all of them as one, or a few by their names.
    """
    found = {plain_organ(name) for name in anatomy.names.values()} if anatomy.organs is not None else set()
    return tuple(
        one.organ
        for one in _TABLE
        if one.above_4 != "seldom" and one.why != _MUSCLE and one.organ not in found | _held_with(found)
    )


_HELD_WITH = {
    "tonsil": ("lingual_tonsil", "soft_palate"),
    "submandibular_gland": ("sublingual_gland",),
    "small_bowel": ("duodenum",),
    "uterus": ("ovary",),
}
"""Class of a coarse map -> what it holds besides; a finer map names those itself."""


def _held_with(found: set[str]) -> set[str]:
    return {part for whole, parts in _HELD_WITH.items() if whole in found for part in parts}
