"""Hand-crafted features of a region on PET and CT (PyRadiomics), the same for every system that wants them."""

from lymphoma.radiomics.extract import LesionRadiomics, Radiomics, extract, extract_lesions
from lymphoma.radiomics.families import TOO_SMALL
from lymphoma.radiomics.names import NAMES
from lymphoma.radiomics.settings import RadiomicsSettings

__all__ = ["NAMES", "TOO_SMALL", "LesionRadiomics", "Radiomics", "RadiomicsSettings", "extract", "extract_lesions"]
