"""Every error of the node, each with a stable code.

    NodalError                  code, message, retry
    ├── Refused                 the study, the header or the request is unusable: said, never guessed (exit 3)
    ├── WrongUsage              the caller asked for something that cannot be meant (exit 2)
    ├── Failed                  the node could not do its work (exit 1)
    │   ├── Unreachable         a peer did not answer; a retry helps
    │   └── SourceGone          the images are no longer where they were
    └── SettingsInvalid         the configuration does not make sense (exit 2)

A message never holds a patient's name or id: it travels into logs, databases and the audit trail.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Code", "Failed", "NodalError", "Refused", "SettingsInvalid", "SourceGone", "Unreachable", "WrongUsage"]


class Code(StrEnum):
    """The stable codes. Never renamed; a new fault gets a new line."""

    # what arrived
    NOT_DICOM = "NOT_DICOM"
    TRUNCATED_FILE = "TRUNCATED_FILE"
    EMPTY_STUDY = "EMPTY_STUDY"
    SEVERAL_STUDIES = "SEVERAL_STUDIES"
    UNSUPPORTED_SYNTAX = "UNSUPPORTED_SYNTAX"
    # selection
    NO_PET = "NO_PET"
    PET_NOT_CORRECTED = "PET_NOT_CORRECTED"
    PET_DERIVED = "PET_DERIVED"
    PET_DYNAMIC = "PET_DYNAMIC"
    PET_ENHANCED_UNMAPPED = "PET_ENHANCED_UNMAPPED"
    NOT_FDG = "NOT_FDG"
    NO_CT = "NO_CT"
    CT_OTHER_FRAME = "CT_OTHER_FRAME"
    CT_NO_OVERLAP = "CT_NO_OVERLAP"
    NOT_BASELINE = "NOT_BASELINE"
    SERIES_INCOMPLETE = "SERIES_INCOMPLETE"
    # geometry of a series
    MISSING_SLICE = "MISSING_SLICE"
    DUPLICATE_SLICE = "DUPLICATE_SLICE"
    MIXED_SERIES = "MIXED_SERIES"
    MIXED_ORIENTATION = "MIXED_ORIENTATION"
    GEOMETRY_MISSING = "GEOMETRY_MISSING"
    WRONG_MODALITY = "WRONG_MODALITY"
    PIXELS_UNREADABLE = "PIXELS_UNREADABLE"
    # SUV
    SUV_MISSING_WEIGHT = "SUV_MISSING_WEIGHT"
    SUV_IMPLAUSIBLE_WEIGHT = "SUV_IMPLAUSIBLE_WEIGHT"
    SUV_MISSING_HEIGHT = "SUV_MISSING_HEIGHT"
    SUV_IMPLAUSIBLE_HEIGHT = "SUV_IMPLAUSIBLE_HEIGHT"
    SUV_MISSING_SEX = "SUV_MISSING_SEX"
    SUV_IMPLAUSIBLE_LBM = "SUV_IMPLAUSIBLE_LBM"
    SUV_MISSING_DOSE = "SUV_MISSING_DOSE"
    SUV_IMPLAUSIBLE_DOSE = "SUV_IMPLAUSIBLE_DOSE"
    SUV_MISSING_HALF_LIFE = "SUV_MISSING_HALF_LIFE"
    SUV_MISSING_INJECTION_TIME = "SUV_MISSING_INJECTION_TIME"
    SUV_TIME_CONFLICT = "SUV_TIME_CONFLICT"
    SUV_UPTAKE_IMPLAUSIBLE = "SUV_UPTAKE_IMPLAUSIBLE"
    SUV_NO_REFERENCE_TIME = "SUV_NO_REFERENCE_TIME"
    SUV_UNITS_UNSUPPORTED = "SUV_UNITS_UNSUPPORTED"
    SUV_TYPE_MISSING = "SUV_TYPE_MISSING"
    SUV_DECAY_UNSUPPORTED = "SUV_DECAY_UNSUPPORTED"
    SUV_FACTORS_DISAGREE = "SUV_FACTORS_DISAGREE"
    SUV_SEVERAL_TRACERS = "SUV_SEVERAL_TRACERS"
    SUV_BAD_SLOPE = "SUV_BAD_SLOPE"
    # contours
    CONTOUR_OTHER_IMAGE = "CONTOUR_OTHER_IMAGE"
    CONTOUR_EMPTY = "CONTOUR_EMPTY"
    CONTOUR_UNREADABLE = "CONTOUR_UNREADABLE"
    # what is computed
    NO_ANATOMY = "NO_ANATOMY"
    PHYSIOLOGICAL_UPTAKE = "PHYSIOLOGICAL_UPTAKE"
    NO_AVID_LESION = "NO_AVID_LESION"
    TOO_MANY_LESIONS = "TOO_MANY_LESIONS"
    REGION_TOO_SMALL = "REGION_TOO_SMALL"
    CONSTANT_IMAGE = "CONSTANT_IMAGE"
    FOV_PARTIAL = "FOV_PARTIAL"
    OUTSIDE_FIELD = "OUTSIDE_FIELD"
    OUT_OF_DISTRIBUTION = "OUT_OF_DISTRIBUTION"
    NO_BUNDLE = "NO_BUNDLE"
    NO_CLINICAL_RECORD = "NO_CLINICAL_RECORD"
    MEASURE_MISSING = "MEASURE_MISSING"
    NOT_INSTALLED = "NOT_INSTALLED"
    NOT_SENT = "NOT_SENT"
    # external engines
    ENGINE_MISSING = "ENGINE_MISSING"
    ENGINE_TIMEOUT = "ENGINE_TIMEOUT"
    ENGINE_FAILED = "ENGINE_FAILED"
    ENGINE_MODEL = "ENGINE_MODEL"
    ENGINE_OUTPUT = "ENGINE_OUTPUT"
    # prognosis and its models
    NOT_TRAINED = "NOT_TRAINED"
    FOLLOW_UP_INVALID = "FOLLOW_UP_INVALID"
    COVARIATE_INVALID = "COVARIATE_INVALID"
    COX_NOT_FITTED = "COX_NOT_FITTED"
    TOO_FEW_EVENTS = "TOO_FEW_EVENTS"
    TOO_FEW_PATIENTS = "TOO_FEW_PATIENTS"
    TOO_FEW_GROUPS = "TOO_FEW_GROUPS"
    TOO_FEW_VALUES = "TOO_FEW_VALUES"
    TOO_FEW_REPEATABLE = "TOO_FEW_REPEATABLE"
    HORIZON_BEYOND_FOLLOW_UP = "HORIZON_BEYOND_FOLLOW_UP"
    NO_COMPARABLE_PAIRS = "NO_COMPARABLE_PAIRS"
    ONE_CLASS = "ONE_CLASS"
    NO_SEPARATION = "NO_SEPARATION"
    NO_EFFECT = "NO_EFFECT"
    SCORES_NOT_OUT_OF_FOLD = "SCORES_NOT_OUT_OF_FOLD"
    # bundles and training
    BUNDLE_EXISTS = "BUNDLE_EXISTS"
    BUNDLE_FILE_MISSING = "BUNDLE_FILE_MISSING"
    BUNDLE_DIGEST_MISMATCH = "BUNDLE_DIGEST_MISMATCH"
    BUNDLE_FILE_UNLISTED = "BUNDLE_FILE_UNLISTED"
    BUNDLE_PICKLE = "BUNDLE_PICKLE"
    BUNDLE_UNREADABLE = "BUNDLE_UNREADABLE"
    BUNDLE_NEWER_LAYOUT = "BUNDLE_NEWER_LAYOUT"
    BUNDLE_SYSTEM_UNKNOWN = "BUNDLE_SYSTEM_UNKNOWN"
    BUNDLE_NOT_ACCEPTED = "BUNDLE_NOT_ACCEPTED"
    BUNDLE_MISMATCH = "BUNDLE_MISMATCH"
    BUNDLE_TENSOR_TOO_LARGE = "BUNDLE_TENSOR_TOO_LARGE"
    STATISTICS_UNFIT = "STATISTICS_UNFIT"
    CONFIG_INVALID = "CONFIG_INVALID"
    TRAINING_LOCKED = "TRAINING_LOCKED"
    TRAINING_CONFIG_CHANGED = "TRAINING_CONFIG_CHANGED"
    LOSS_NOT_FINITE = "LOSS_NOT_FINITE"
    METRIC_MISSING = "METRIC_MISSING"
    DEVICE_UNFIT = "DEVICE_UNFIT"
    HANDOVER_UNUSABLE = "HANDOVER_UNUSABLE"
    FEATURES_UNREADABLE = "FEATURES_UNREADABLE"
    # a cohort folder
    COHORT_TABLE = "COHORT_TABLE"
    COHORT_CHANGED = "COHORT_CHANGED"
    COHORT_VIRTUAL = "COHORT_VIRTUAL"
    ROW_UNREADABLE = "ROW_UNREADABLE"
    PATIENT_DUPLICATE = "PATIENT_DUPLICATE"
    STUDY_DUPLICATE = "STUDY_DUPLICATE"
    STUDY_MISSING = "STUDY_MISSING"
    REFERENCE_MISSING = "REFERENCE_MISSING"
    ORGANS_UNREADABLE = "ORGANS_UNREADABLE"
    VALUES_NOT_FINITE = "VALUES_NOT_FINITE"
    SUV_SCALE = "SUV_SCALE"
    CLINICAL_IMPLAUSIBLE = "CLINICAL_IMPLAUSIBLE"
    OUTCOME_IMPLAUSIBLE = "OUTCOME_IMPLAUSIBLE"
    OUTCOME_INCOMPLETE = "OUTCOME_INCOMPLETE"
    NO_FOLLOW_UP = "NO_FOLLOW_UP"
    PFS_AFTER_OS = "PFS_AFTER_OS"
    NO_USABLE_PATIENT = "NO_USABLE_PATIENT"
    FOLDS_IMPOSSIBLE = "FOLDS_IMPOSSIBLE"
    NO_OUTCOME = "NO_OUTCOME"
    SOURCE_LAYOUT = "SOURCE_LAYOUT"
    # clinical records
    FHIR_UNREADABLE = "FHIR_UNREADABLE"
    FHIR_NO_PATIENT = "FHIR_NO_PATIENT"
    # the network and the node
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    HL7_UNREADABLE = "HL7_UNREADABLE"
    HL7_UNSUPPORTED = "HL7_UNSUPPORTED"
    PATIENT_UNIDENTIFIED = "PATIENT_UNIDENTIFIED"
    CALLER_UNKNOWN = "CALLER_UNKNOWN"
    DISK_FULL = "DISK_FULL"
    UNREACHABLE = "UNREACHABLE"
    REJECTED_BY_DESTINATION = "REJECTED_BY_DESTINATION"
    SOURCE_GONE = "SOURCE_GONE"
    STATE_IN_USE = "STATE_IN_USE"
    JOB_UNKNOWN = "JOB_UNKNOWN"
    JOB_STATE = "JOB_STATE"
    CANDIDATE_UNKNOWN = "CANDIDATE_UNKNOWN"
    FORBIDDEN = "FORBIDDEN"
    SETTINGS_INVALID = "SETTINGS_INVALID"
    WRONG_USAGE = "WRONG_USAGE"
    INTERNAL = "INTERNAL"


class NodalError(Exception):
    """An error with a stable ``code``, a sentence for a person, and whether a ``retry`` can help."""

    exit_code = 1
    retry = False

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Refused(NodalError):
    """The study, the header or the request is unusable; nothing was guessed and nothing is sent."""

    exit_code = 3


class WrongUsage(NodalError):
    """The call itself is wrong."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(Code.WRONG_USAGE, message)


class SettingsInvalid(NodalError):
    """The configuration does not make sense; the node does not start."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(Code.SETTINGS_INVALID, message)


class Failed(NodalError):
    """The node could not do its work."""


class Unreachable(Failed):
    """A peer did not answer; a retry helps."""

    retry = True

    def __init__(self, message: str) -> None:
        super().__init__(Code.UNREACHABLE, message)


class SourceGone(Failed):
    """The images are no longer in the archive they came from."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.SOURCE_GONE, message)
