"""The canonical form of findings and of all else that a result object shows: equal digests mean equal bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from lymphoma.imaging import Volume

from nodal.findings import Findings
from nodal.report.context import patient_context
from nodal.report.drawing import drawn_with
from nodal.report.inputs import ReportInputs

__all__ = ["TEMPLATE_VERSIONS", "canonical_findings", "findings_digest", "inputs_digest"]

TEMPLATE_VERSIONS = {
    "fhir": 1,
    "key_images": 1,
    "outlines": 1,
    "pdf": 3,
    "pdf_capture": 3,
    "rotating_mip": 1,
    "rtstruct": 1,
    "seg": 3,
    "sr": 3,
    "summary": 2,
}
"""Raised with each change that alters an object made from unchanged findings."""

_SIGNIFICANT_DIGITS = 6

# A volume is immutable by contract and hashed for each of the four objects: the digest is kept while it lives.
_VOLUME_DIGESTS: WeakKeyDictionary[Volume, str] = WeakKeyDictionary()


def _rounded(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("findings hold a number that is not finite")
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")


def _canonical(value: Any) -> Any:
    """Plain JSON values: floats at six significant digits, whole floats as integers, keys as text."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        rounded = _rounded(float(value))
        return int(rounded) if rounded.is_integer() else rounded
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    raise TypeError(f"findings hold a {type(value).__name__}, which has no canonical form")


def _digest(value: Any) -> str:
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _volume_digest(volume: Volume) -> str:
    """SHA-256 of grid and values (as float32, little endian), hex."""
    known = _VOLUME_DIGESTS.get(volume)
    if known is None:
        grid = _digest({"affine": volume.affine.ravel().tolist(), "shape": list(volume.array.shape)})
        values = np.ascontiguousarray(volume.array, dtype="<f4")
        known = hashlib.sha256(grid.encode() + hashlib.sha256(values.data).digest()).hexdigest()
        _VOLUME_DIGESTS[volume] = known
    return known


def _rounded_deep(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return _rounded(float(value))
    if isinstance(value, dict):
        return {key: _rounded_deep(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rounded_deep(item) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return dataclasses.replace(value, **{f.name: _rounded_deep(getattr(value, f.name)) for f in fields})
    return value


def canonical_findings(findings: Findings) -> Findings:
    """The findings with every number at six significant digits: what is written is what the digest saw."""
    rounded: Findings = _rounded_deep(findings)
    return rounded


def findings_digest(findings: Findings) -> str:
    """SHA-256 of the canonical findings, hex.

    Canonical are: JSON with sorted keys and floats at six significant digits, without ``provenance.started``,
    ``provenance.stage_seconds`` and ``provenance.device``; with the versions of the objects' templates. The lesion
    map, the settings, the clinical record, the node's version and the predecessor take part as fields of the
    findings.
    """
    values = dataclasses.asdict(findings)
    for name in ("started", "stage_seconds", "device"):
        del values["provenance"][name]
    return _digest({"findings": values, "templates": TEMPLATE_VERSIONS})


def inputs_digest(inputs: ReportInputs) -> str:
    """SHA-256 of all that a result object is made from, hex.

    That is the findings, the patient and study attributes that are copied, which instances were measured, and the
    SUV values (as float32) with their grid, for the pictures, and what these are drawn with.
    """
    return _digest(
        {
            "findings": findings_digest(inputs.findings),
            "patient": patient_context(inputs.pet_headers[0]).to_json_dict(),
            "instances": [str(h.SOPInstanceUID) for h in (*inputs.pet_headers, *inputs.ct_headers)],
            "suv": _volume_digest(inputs.suv),
            "drawn_with": drawn_with(),
        }
    )
