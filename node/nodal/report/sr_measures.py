"""The numbers of the structured report as NUM content items (TID 300), each with its unit and derivation."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.sr import ContentItem, FindingSite, Measurement
from pydicom.sr.coding import Code

from nodal.findings import Findings, Lesion
from nodal.report import codes
from nodal.report.sr_items import concept, number

__all__ = ["lesion_measurements", "patient_measurements", "quality_measurements"]


def _number(
    name: Code, value: float | None, unit: Code, derivation: Code | None = None, site: Code | None = None
) -> list[Measurement]:
    """One measurement, or none where the value is unknown."""
    if value is None:
        return []
    sites = [FindingSite(site)] if site else None
    return [
        Measurement(
            name=concept(name),
            value=value,
            unit=concept(unit),
            derivation=concept(derivation) if derivation else None,
            finding_sites=sites,
        )
    ]


def lesion_measurements(lesion: Lesion, limits: Sequence[ContentItem] = ()) -> list[Measurement]:
    """SUVmax first, as viewers show the first number; then peak, mean, volume, TLG, diameter, probability of a lesion.

    Args:
        limits: modifiers of the probability, where a simulation-trained network gave it.
    """
    return [
        *_number(codes.SUV_BW, lesion.suv_max, codes.UNIT_SUV, codes.MAXIMUM),
        *_number(codes.SUV_BW, lesion.suv_peak, codes.UNIT_SUV, codes.PEAK),
        *_number(codes.SUV_BW, lesion.suv_mean, codes.UNIT_SUV, codes.MEAN),
        *_number(codes.METABOLIC_VOLUME, lesion.volume_ml, codes.UNIT_ML),
        *_number(codes.TOTAL_LESION_GLYCOLYSIS, lesion.tlg_g, codes.UNIT_G),
        *_number(codes.DIAMETER, lesion.longest_diameter_mm, codes.UNIT_MM, codes.MAXIMUM),
        *([] if lesion.p_lesion is None else [number(codes.P_LESION, lesion.p_lesion, codes.UNIT_ONE, limits)]),
    ]


def patient_measurements(findings: Findings) -> list[Measurement]:
    """Totals and distances of the whole patient; what is None was not computed and is listed elsewhere."""
    totals = findings.totals
    low, high = totals.tmtv_range_ml
    doubtful = low != high
    return [
        *_number(codes.SUV_BW, totals.suv_max, codes.UNIT_SUV, codes.MAXIMUM),
        *_number(codes.SUV_BW, totals.suv_peak, codes.UNIT_SUV, codes.PEAK),
        *_number(codes.SUV_BW, totals.suv_mean, codes.UNIT_SUV, codes.MEAN),
        *_number(codes.METABOLIC_VOLUME, totals.tmtv_ml, codes.UNIT_ML, codes.TOTAL),
        *_number(codes.TMTV_LOW, low if doubtful else None, codes.UNIT_ML),
        *_number(codes.TMTV_HIGH, high if doubtful else None, codes.UNIT_ML),
        *_number(codes.TOTAL_LESION_GLYCOLYSIS, totals.tlg_g, codes.UNIT_G, codes.TOTAL),
        *_number(codes.NUMBER_OF_LESIONS, totals.lesion_count, codes.UNIT_ONE),
        *_number(codes.DMAX, totals.dmax_mm, codes.UNIT_MM),
        *_number(codes.SDMAX, totals.sdmax_per_m, codes.UNIT_PER_M),
        *_number(codes.DMAX_BULK, totals.dmax_bulk_mm, codes.UNIT_MM),
    ]


def quality_measurements(findings: Findings) -> list[Measurement]:
    """What a physicist asks of the scan."""
    quality = findings.quality
    return [
        *_number(codes.SUV_BW, quality.liver_suv_mean, codes.UNIT_SUV, codes.MEAN, codes.LIVER),
        *_number(codes.UPTAKE_TIME, quality.uptake_minutes, codes.UNIT_MIN),
        *_number(codes.ACTIVITY_PER_WEIGHT, quality.injected_mbq_per_kg, codes.UNIT_MBQ_PER_KG),
        *_number(codes.PET_CT_SHIFT, quality.pet_ct_shift_mm, codes.UNIT_MM),
    ]
