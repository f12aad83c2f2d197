"""Every code that result objects use, as explicit constants.

Standard codes are of DCM (PS3.16 Annex D), SCT (SNOMED CT), LN (LOINC) and UCUM, with the meanings of PS3.16. What has
no public code stands in the private scheme 99NODAL, which every object that uses it identifies (SOP Common module,
PS3.3 C.12.1.1.3).
"""

from __future__ import annotations

import re

from pydicom import Dataset
from pydicom.sr.coding import Code

from nodal.report.uids import stable_uid

PRIVATE_SCHEME = "99NODAL"

# Equipment, document, procedure, observer
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
PET_MEASUREMENT_REPORT = Code("126003", "DCM", "PET Measurement Report")
WHOLE_BODY_FDG = Code("443271005", "SCT", "PET/CT FDG imaging of whole body")
PET_UNSPECIFIED_REGION = Code("44136-0", "LN", "PET unspecified body region")
ENGLISH = Code("en", "RFC5646", "English")
DEVICE = Code("121007", "DCM", "Device")
COMMENT = Code("121106", "DCM", "Comment")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")

# What was found
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")
NEOPLASM = Code("108369006", "SCT", "Neoplasm")
LESION = Code("52988006", "SCT", "Lesion")
LYMPHOMA = Code("1163043007", "SCT", "Lymphoma")
LYMPH_NODE = Code("59441001", "SCT", "Lymph node")
LIVER = Code("10200004", "SCT", "Liver")

# Measurements and how they were derived
SUV_BW = Code("126401", "DCM", "SUVbw")
METABOLIC_VOLUME = Code("126032", "DCM", "Metabolic Volume")
TOTAL_LESION_GLYCOLYSIS = Code("126033", "DCM", "Total Lesion Glycolysis")
NUMBER_OF_LESIONS = Code("246206008", "SCT", "Number of lesions")
DIAMETER = Code("81827009", "SCT", "Diameter")
MAXIMUM = Code("56851009", "SCT", "Maximum")
MEAN = Code("373098007", "SCT", "Mean")
TOTAL = Code("255619001", "SCT", "Total")
DERIVATION = Code("121401", "DCM", "Derivation")
PEAK = Code("126031", "DCM", "Peak Value Within ROI")

# Units
UNIT_SUV = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")
UNIT_ML = Code("ml", "UCUM", "milliliter")
UNIT_G = Code("g", "UCUM", "gram")
UNIT_MM = Code("mm", "UCUM", "millimeter")
UNIT_PER_M = Code("/m", "UCUM", "per meter")
UNIT_ONE = Code("1", "UCUM", "no units")
UNIT_MIN = Code("min", "UCUM", "minute")
UNIT_MBQ_PER_KG = Code("MBq/kg", "UCUM", "megabecquerel per kilogram")

# Algorithm families (CID 7162, extensible)
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
MANUAL_PROCESSING = Code("123109", "DCM", "Manual Processing")
THRESHOLDING = Code("THRESHOLD", PRIVATE_SCHEME, "Thresholding and connected components")

# Private: lengths between lesions, no public code was found
DMAX = Code("DMAX", PRIVATE_SCHEME, "Largest distance between lesion centroids")
DMAX_BULK = Code("DMAXBULK", PRIVATE_SCHEME, "Largest centroid distance from the largest lesion")
SDMAX = Code("SDMAX", PRIVATE_SCHEME, "Largest lesion distance per body surface area")
TMTV_LOW = Code("TMTVLOW", PRIVATE_SCHEME, "Metabolic volume of accepted lesions")
TMTV_HIGH = Code("TMTVHIGH", PRIVATE_SCHEME, "Metabolic volume with lesions to be confirmed")
P_LESION = Code("PLESION", PRIVATE_SCHEME, "Probability of being a lesion")
UPTAKE_TIME = Code("UPTAKETIME", PRIVATE_SCHEME, "Time from injection to scan")
ACTIVITY_PER_WEIGHT = Code("ACTPERKG", PRIVATE_SCHEME, "Injected activity per body weight")
PET_CT_SHIFT = Code("PETCTSHIFT", PRIVATE_SCHEME, "Shift between PET and CT")

# Private: sentences of the report
FIELD_OF_VIEW = Code("FIELDOFVIEW", PRIVATE_SCHEME, "Field of view")
SUV_METHOD = Code("SUVMETHOD", PRIVATE_SCHEME, "SUV method")
SEGMENTATION_METHOD = Code("SEGMETHOD", PRIVATE_SCHEME, "Lesion delineation")
PHYSIOLOGICAL_UPTAKE = Code("PHYSUPTAKE", PRIVATE_SCHEME, "Physiological uptake")
BASELINE = Code("BASELINE", PRIVATE_SCHEME, "Time point")
SIMULATION = Code("SIMULATION", PRIVATE_SCHEME, "Simulated data")
QUALITY_FLAG = Code("QUALITYFLAG", PRIVATE_SCHEME, "Quality flag")
NOT_COMPUTED = Code("NOTCOMPUTED", PRIVATE_SCHEME, "Not computed")
NOT_SENT = Code("NOTSENT", PRIVATE_SCHEME, "Not sent to this destination")
REJECTED_CANDIDATE = Code("REJECTED", PRIVATE_SCHEME, "Rejected candidate")
BULK = Code("BULK", PRIVATE_SCHEME, "Bulky disease")
REJECTED_NUMBER = Code("REJECTEDNUMBER", PRIVATE_SCHEME, "Number among the rejected candidates")
ATTENTION_MEANING = Code("ATTENTIONNOTE", PRIVATE_SCHEME, "Meaning of attention")
CONTEXT_ORGANS = Code("CONTEXTORGANS", PRIVATE_SCHEME, "Organs that the lesion was compared with most")
JUDGED_BY = Code("JUDGEDBY", PRIVATE_SCHEME, "Candidates judged by")
RANGE = Code("SCANRANGE", PRIVATE_SCHEME, "Scan and the networks' training data")
DECIDED_BY = Code("DECIDEDBY", PRIVATE_SCHEME, "Status decided by")
DECIDED_BY_PERSON = Code("PERSON", PRIVATE_SCHEME, "A person")
LESION_STATUS = Code("STATUS", PRIVATE_SCHEME, "Lesion status")
STATUS_ACCEPTED = Code("ACCEPTED", PRIVATE_SCHEME, "Accepted")
STATUS_TO_CONFIRM = Code("TOCONFIRM", PRIVATE_SCHEME, "To be confirmed")

# Words of an organ's or station's name -> site; the first row whose words all occur is taken.
_SITES: tuple[tuple[tuple[str, ...], Code], ...] = (
    (("lymph",), LYMPH_NODE),
    (("node",), LYMPH_NODE),
    (("nodal",), LYMPH_NODE),
    (("bone", "marrow"), Code("14016003", "SCT", "Bone marrow")),
    (("vertebra",), Code("51282000", "SCT", "Vertebra")),
    (("sacrum",), Code("54735007", "SCT", "Sacrum")),
    (("gluteus",), Code("71616004", "SCT", "Muscle")),
    (("muscle",), Code("71616004", "SCT", "Muscle")),
    (("liver",), LIVER),
    (("spleen",), Code("78961009", "SCT", "Spleen")),
    (("gallbladder",), Code("28231008", "SCT", "Gallbladder")),
    (("gall", "bladder"), Code("28231008", "SCT", "Gallbladder")),
    (("bladder",), Code("89837001", "SCT", "Urinary bladder")),
    (("kidney",), Code("64033007", "SCT", "Kidney")),
    (("adrenal",), Code("23451007", "SCT", "Adrenal gland")),
    (("pancreas",), Code("15776009", "SCT", "Pancreas")),
    (("stomach",), Code("69695003", "SCT", "Stomach")),
    (("duodenum",), Code("38848004", "SCT", "Duodenum")),
    (("small", "bowel"), Code("30315005", "SCT", "Small intestine")),
    (("small", "intestine"), Code("30315005", "SCT", "Small intestine")),
    (("colon",), Code("71854001", "SCT", "Colon")),
    (("rectum",), Code("34402009", "SCT", "Rectum")),
    (("lung",), Code("39607008", "SCT", "Lung")),
    (("trachea",), Code("44567001", "SCT", "Trachea")),
    (("heart",), Code("80891009", "SCT", "Heart")),
    (("brain",), Code("12738006", "SCT", "Brain")),
    (("thyroid",), Code("69748006", "SCT", "Thyroid")),
    (("thymus",), Code("9875009", "SCT", "Thymus")),
    (("prostate",), Code("41216001", "SCT", "Prostate")),
    (("breast",), Code("76752008", "SCT", "Breast")),
    (("skull",), Code("89546000", "SCT", "Skull")),
    (("rib",), Code("113197003", "SCT", "Rib")),
    (("sternum",), Code("56873002", "SCT", "Sternum")),
    (("clavicula",), Code("51299004", "SCT", "Clavicle")),
    (("scapula",), Code("79601000", "SCT", "Scapula")),
    (("humerus",), Code("85050009", "SCT", "Humerus")),
    (("femur",), Code("71341001", "SCT", "Femur")),
    (("esophagus",), Code("32849002", "SCT", "Esophagus")),
    (("tongue",), Code("21974007", "SCT", "Tongue")),
    (("tonsil",), Code("75573002", "SCT", "Palatine tonsil")),
    (("parotid",), Code("45289007", "SCT", "Parotid gland")),
    (("uterus",), Code("35039007", "SCT", "Uterus")),
    (("ovary",), Code("15497006", "SCT", "Ovary")),
    (("testis",), Code("40689003", "SCT", "Testis")),
    (("skin",), Code("39937001", "SCT", "Skin")),
    (("aorta",), Code("15825003", "SCT", "Aorta")),
    (("ureter",), Code("87953007", "SCT", "Ureter")),
    (("mandible",), Code("91609006", "SCT", "Mandible")),
    (("hip",), Code("272673000", "SCT", "Bone")),
    (("skeleton",), Code("272673000", "SCT", "Bone")),
    (("bone",), Code("272673000", "SCT", "Bone")),
)
_LEFT = Code("7771000", "SCT", "Left")
_RIGHT = Code("24028007", "SCT", "Right")


def site_code(organ: str | None, station: str | None) -> Code | None:
    """The coded site of a lesion: its lymph node station, else its organ; None where neither has a code here."""
    if station:
        return LYMPH_NODE
    words = set(re.split(r"[^a-z]+", (organ or "").lower()))
    plain = words | {word.rstrip("s") for word in words} | {"vertebra" for word in words if word == "vertebrae"}
    return next((code for needed, code in _SITES if plain.issuperset(needed)), None)


def laterality_code(organ: str | None, station: str | None) -> Code | None:
    """Left or right, where the name of the site says one of them."""
    words = re.split(r"[^a-z]+", (station or organ or "").lower())
    if "left" in words:
        return _LEFT
    return _RIGHT if "right" in words else None


def code_item(code: Code) -> Dataset:
    """A code as an item of a code sequence (PS3.3 Table 8.8-1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def private_scheme_item() -> Dataset:
    """The item of CodingSchemeIdentificationSequence (0008,0110) that says what 99NODAL is."""
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_SCHEME
    item.CodingSchemeUID = stable_uid("nodal", "coding scheme", "1")
    item.CodingSchemeName = "Nodal measurements of lymphoma on FDG PET/CT"
    item.CodingSchemeVersion = "1"
    item.CodingSchemeResponsibleOrganization = "Nodal"
    return item
