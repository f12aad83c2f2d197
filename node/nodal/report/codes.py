"""Every code that result objects use, as explicit constants.

Standard codes are of DCM (PS3.16 Annex D), SCT (SNOMED CT, PS3.16) and UCUM. What has no public code stands in the
private scheme 99NODAL, which each object that uses it identifies (PS3.3 C.12.1.1.3, Coding Scheme Identification).
"""

from __future__ import annotations

from pydicom.sr.coding import Code

PRIVATE_SCHEME = "99NODAL"

PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
