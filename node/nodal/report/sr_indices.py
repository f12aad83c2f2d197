"""The published indices in the structured report: a measurement group of the patient for each."""

from __future__ import annotations

from highdicom.sr import ContentItem, ContentSequence, Measurement, TrackingIdentifier

from nodal.findings import Findings
from nodal.outlook import ImpiFinding, IndexFinding, PublishedRate
from nodal.report import codes
from nodal.report import risk_codes as risks
from nodal.report.clinical_words import factors
from nodal.report.index_words import impi_words, index_sentence, listing, shown_indices
from nodal.report.sr_items import group, modifier, number, property_number, remark, statement

__all__ = ["index_groups", "percent_value"]

# A share times hundred shows the binary fraction's tail; published shares have three digits, ours six.
_PERCENT_DIGITS = 6


def percent_value(share: float) -> float:
    """A share of 0..1 as a number in per cent."""
    return round(100.0 * share, _PERCENT_DIGITS)


def index_groups(findings: Findings, tracking: TrackingIdentifier) -> list[ContentSequence]:
    """A group for each index that was computed; those that were not stand among what was not computed.

    Args:
        tracking: the whole patient's.
    """
    groups = [_index(field, finding, tracking) for field, finding in shown_indices(findings.indices)]
    impi = findings.indices.impi
    return [*groups, _impi(impi, tracking)] if impi is not None else groups


def _index(field: str, finding: IndexFinding, tracking: TrackingIdentifier) -> ContentSequence:
    known, least, most = risks.points_codes(field, finding.name)
    if finding.points is not None:
        points = [number(known, finding.points, risks.UNIT_POINTS)]
    else:
        ends = zip((least, most), finding.range, strict=True)
        points = [number(name, end, risks.UNIT_POINTS) for name, end in ends]
    published = [_published(finding.name, rate) for rate in finding.survival]
    return group(
        tracking,
        risks.index_code(field),
        [*points, *published],
        [*_groups(finding), *_missing(finding)],
        words=index_sentence(finding),
    )


def _published(name: str, rate: PublishedRate) -> Measurement:
    about: list[ContentItem] = [modifier(risks.ENDPOINT, risks.endpoint_code(rate.endpoint))]
    if rate.months is not None:
        about.append(property_number(risks.HORIZON, rate.months, risks.UNIT_MONTH))
    if rate.interval is not None:
        ends = zip((risks.INTERVAL_LOW, risks.INTERVAL_HIGH), rate.interval, strict=True)
        about += [property_number(end, percent_value(share), risks.UNIT_PERCENT) for end, share in ends]
    about.append(remark(risks.SOURCE, rate.source))
    code = risks.published_code(name, rate.endpoint, rate.months)
    return number(code, percent_value(rate.share), risks.UNIT_PERCENT, about)


def _groups(finding: IndexFinding) -> list[ContentItem]:
    if finding.group is not None:
        return [statement(risks.RISK_GROUP, risks.group_code(finding.group))]
    return [statement(risks.POSSIBLE_GROUP, risks.group_code(name)) for name in finding.open_groups]


def _missing(finding: IndexFinding | ImpiFinding) -> list[ContentItem]:
    return [statement(risks.MISSING_FACTORS, listing(factors(finding.missing)))] if finding.missing else []


def _impi(finding: ImpiFinding, tracking: TrackingIdentifier) -> ContentSequence:
    low, high = _impi_about(finding)
    if finding.linear_predictor is not None:
        numbers = [number(risks.IMPI_PREDICTOR, finding.linear_predictor, codes.UNIT_ONE, low)]
    else:
        least, most = finding.range
        numbers = [
            number(risks.IMPI_LEAST, least, codes.UNIT_ONE, low),
            number(risks.IMPI_MOST, most, codes.UNIT_ONE, high),
        ]
    return group(tracking, risks.index_code("impi"), numbers, _missing(finding), words=impi_words(finding))


def _impi_about(finding: ImpiFinding) -> tuple[list[ContentItem], list[ContentItem]]:
    """Percentile and cohort for the least and the most, where there is such a cohort."""
    if finding.percentile is None or not finding.cohort:
        return [], []
    low, high = (
        [property_number(risks.PERCENTILE, end, risks.UNIT_PERCENT), remark(risks.POPULATION, finding.cohort)]
        for end in finding.percentile
    )
    return low, high
