"""The prognosis systems and their nomograms in the structured report: a measurement group of the patient for each.

Each number's own name says whose it is and whether the system was trained on simulated patients, and the same stands
as a modifier beside it: nothing that is taken out of its group loses its qualifier. What the evidence level withholds
is not written.
"""

from __future__ import annotations

from dataclasses import dataclass

from highdicom.sr import AlgorithmIdentification, ContentItem, ContentSequence, Measurement, TrackingIdentifier
from pydicom.sr.coding import Code

from nodal.findings import Findings, Lesion
from nodal.outlook import EndpointFinding, NomogramFinding, NomogramPoints, SurvivalAt, SystemFinding
from nodal.report import codes
from nodal.report import risk_codes as risks
from nodal.report.clinical_words import factors
from nodal.report.index_words import endpoint_at, listing
from nodal.report.lesion_words import organs_words
from nodal.report.provenance import bundle_parameters, is_regression
from nodal.report.sr_indices import percent_value
from nodal.report.sr_items import group, modifier, number, property_number, remark, statement
from nodal.report.system_words import (
    INTERVAL_MEANING,
    NOMOGRAM_TITLES,
    SHOWN_SIMULATED,
    SIMULATION_TRAINED,
    evidence_sentence,
    system_title,
    trained_words,
    withholds,
)

__all__ = ["attention_numbers", "nomogram_groups", "system_groups"]


@dataclass(frozen=True)
class _Voice:
    """Who speaks: what stands in the name and beside each figure of a system.

    Attributes:
        title: of the system or nomogram. limits: modifiers of every figure. lifted: further ones of what only a
            setting lets be shown: groups, survival, marks on a nomogram.
    """

    title: str
    simulated: bool
    limits: tuple[ContentItem, ...]
    lifted: tuple[ContentItem, ...]

    def code(self, kind: str, words: str, endpoint: str = "", months: float | None = None) -> Code:
        """The name of a figure."""
        return risks.system_code(self.title, kind, words, endpoint, months, simulated=self.simulated)

    def about(self, endpoint: str) -> list[ContentItem]:
        """The endpoint, and what limits every figure."""
        return [modifier(risks.ENDPOINT, risks.endpoint_code(endpoint)), *self.limits]

    def about_survival(self, endpoint: str) -> list[ContentItem]:
        """The endpoint, and what limits a figure that says how long patients live."""
        return [*self.about(endpoint), *self.lifted]


def _voice(title: str, system: SystemFinding, findings: Findings) -> _Voice:
    simulated = system.evidence == "E0"
    lifted = simulated and not findings.virtual
    return _Voice(
        title,
        simulated,
        limits=(modifier(risks.LIMITS, risks.SIMULATION_TRAINED_CODE),) if simulated else (),
        lifted=(modifier(risks.LIMITS, risks.SHOWN_SIMULATED_CODE),) if lifted else (),
    )


def system_groups(findings: Findings, tracking: TrackingIdentifier) -> list[ContentSequence]:
    """A group for each system that was computed; those that were not stand among what was not computed.

    Args:
        tracking: the whole patient's.
    """
    return [
        _system(name, system, findings, tracking)
        for name, system in findings.systems.items()
        if system.status == "computed"
    ]


def _system(name: str, system: SystemFinding, findings: Findings, tracking: TrackingIdentifier) -> ContentSequence:
    voice = _voice(system_title(name), system, findings)
    withheld = withholds(system, virtual=findings.virtual)
    numbers = _scores(system, voice)
    if system.percentile is not None and not system.endpoint:
        numbers.append(number(voice.code("PCT", "percentile"), system.percentile, risks.UNIT_PERCENT, voice.limits))
    said = _about_system(system, findings)
    for endpoint, finding in system.endpoint.items():
        numbers += _risk(endpoint, finding, voice)
        if not finding.withheld:
            numbers += [one for at in finding.survival for one in _survival(endpoint, at, voice)]
            said += _risk_group(endpoint, finding, voice)
    if not withheld:
        said += [_classification(kind, value, voice) for kind, value in system.classes.items()]
        said += [statement(risks.INTERVAL_NOTE, INTERVAL_MEANING)] if _any_survival(system) else []
    title = system_title(name)
    algorithm = _algorithm(name, system, findings)
    words = f"{title}. {evidence_sentence(system)}"
    return group(tracking, risks.system_itself(name, title), numbers, said, algorithm=algorithm, words=words)


def _any_survival(system: SystemFinding) -> bool:
    return any(finding.survival and not finding.withheld for finding in system.endpoint.values())


def _algorithm(name: str, system: SystemFinding, findings: Findings) -> AlgorithmIdentification:
    """TID 4019: the bundle that spoke, so that anybody can name the very weights."""
    family = risks.COX_REGRESSION if is_regression(name) else codes.ARTIFICIAL_INTELLIGENCE
    return AlgorithmIdentification(
        name=system.bundle,
        version=system.version,
        parameters=[f"{key}={value}" for key, value in bundle_parameters(name, system, findings).items()],
        family=family,
    )


def _about_system(system: SystemFinding, findings: Findings) -> list[ContentItem]:
    said = [statement(risks.EVIDENCE_LEVEL, risks.evidence_code(system.evidence))]
    said.append(statement(risks.TRAINED_ON, trained_words(system)))
    if system.evidence == "E0":
        said.append(statement(risks.LIMITS, SIMULATION_TRAINED))
        if not findings.virtual and not withholds(system, virtual=False):
            said.append(statement(risks.LIMITS, SHOWN_SIMULATED))
    if system.in_range is not None:
        features = f": {listing(system.in_range_features)}" if system.in_range_features else ""
        words = {"in": "in range", "unusual": "unusual", "outside": "outside"}[system.in_range]
        said.append(statement(risks.LIKENESS, f"{words}{features}"))
    return said


def _scores(system: SystemFinding, voice: _Voice) -> list[Measurement]:
    return [
        number(voice.code("SCORE", name), value, codes.UNIT_ONE, [modifier(risks.SCORE_NAME, name), *voice.limits])
        for name, value in system.scores.items()
    ]


def _risk(endpoint: str, finding: EndpointFinding, voice: _Voice) -> list[Measurement]:
    """The risk score with its percentile; least and most where missing covariates leave it open."""
    if finding.risk is not None:
        ends = [("RISK", "risk score", finding.risk, finding.percentile[0])]
    else:
        ends = [
            ("RLO", "risk score, least possible", finding.risk_range[0], finding.percentile[0]),
            ("RHI", "risk score, most possible", finding.risk_range[1], finding.percentile[1]),
        ]
    return [
        number(
            voice.code(kind, words, endpoint),
            value,
            codes.UNIT_ONE,
            [*voice.about(endpoint), property_number(risks.PERCENTILE, percentile, risks.UNIT_PERCENT)],
        )
        for kind, words, value, percentile in ends
    ]


def _survival(endpoint: str, at: SurvivalAt, voice: _Voice) -> list[Measurement]:
    """A predicted survival with its interval; least and most where missing covariates leave it open."""
    horizon = property_number(risks.HORIZON, at.months, risks.UNIT_MONTH)
    low, high = (
        property_number(end, percent_value(share), risks.UNIT_PERCENT)
        for end, share in zip((risks.INTERVAL_LOW, risks.INTERVAL_HIGH), at.ci, strict=True)
    )
    if at.probability is not None:
        ends = [("SURV", "predicted", at.probability, [low, high])]
    else:
        # The interval spans both: its lower end belongs to the least, its upper to the most.
        ends = [("SLO", "least possible", at.range[0], [low]), ("SHI", "most possible", at.range[1], [high])]
    return [
        number(
            voice.code(kind, words, endpoint, at.months),
            percent_value(share),
            risks.UNIT_PERCENT,
            [*voice.about_survival(endpoint), horizon, *interval],
        )
        for kind, words, share, interval in ends
    ]


def _risk_group(endpoint: str, finding: EndpointFinding, voice: _Voice) -> list[ContentItem]:
    if finding.group is None:
        return []
    return [statement(risks.RISK_GROUP, risks.group_code(finding.group), voice.about_survival(endpoint))]


def _classification(kind: str, value: str, voice: _Voice) -> ContentItem:
    return statement(risks.CLASSIFICATION, f"{kind}: {value}", (*voice.limits, *voice.lifted))


def nomogram_groups(findings: Findings, tracking: TrackingIdentifier) -> list[ContentSequence]:
    """A group for each nomogram with the patient's points; a withheld one has no marks and is not written.

    Args:
        tracking: the whole patient's.
    """
    return [
        _nomogram(name, drawn, findings, tracking)
        for name, by_endpoint in findings.nomograms.items()
        for drawn in by_endpoint.values()
        if not drawn.withheld and drawn.system in findings.systems
    ]


def _nomogram(name: str, drawn: NomogramFinding, findings: Findings, tracking: TrackingIdentifier) -> ContentSequence:
    system = findings.systems[drawn.system]
    title = NOMOGRAM_TITLES.get(name, name.replace("_", " "))
    voice = _voice(title.removesuffix(" nomogram"), system, findings)
    labels = {axis.covariate: axis.label for axis in drawn.axes}
    numbers = [
        one for point in drawn.points for one in _points(point, labels.get(point.covariate), drawn.endpoint, voice)
    ]
    said = [statement(risks.EVIDENCE_LEVEL, risks.evidence_code(system.evidence))]
    said += [statement(risks.LIMITS, SIMULATION_TRAINED)] if voice.simulated else []
    if drawn.missing:
        said.append(statement(risks.MISSING_FACTORS, listing(factors(drawn.missing))))
    if drawn.outside:
        said.append(statement(risks.OUTSIDE_AXIS, listing(factors(drawn.outside))))
    return group(
        tracking,
        risks.system_itself(f"NOMO{name}{drawn.endpoint}", f"{title}, {endpoint_at(drawn.endpoint, None)}"),
        [*numbers, *_total(drawn, voice)],
        said,
        algorithm=_algorithm(drawn.system, system, findings),
    )


def _points(point: NomogramPoints, label: str | None, endpoint: str, voice: _Voice) -> list[Measurement]:
    if point.points is None:
        return []
    name = label or point.covariate
    about = [*voice.about_survival(endpoint), modifier(risks.COVARIATE, name)]
    about += [remark(risks.COVARIATE_VALUE, point.value)] if point.value is not None else []
    # A code's name has no room for the unit, which the modifier has.
    words = f"points of {name.partition(', ')[0]}"
    return [number(voice.code("NOMO", words, endpoint), point.points, risks.UNIT_POINTS, about)]


def _total(drawn: NomogramFinding, voice: _Voice) -> list[Measurement]:
    if drawn.total_points is not None:
        ends = [("TOT", "total points", drawn.total_points)]
    else:
        low, high = drawn.total_range
        ends = [("TLO", "total points, least possible", low), ("THI", "total points, most possible", high)]
    return [
        number(voice.code(kind, words, drawn.endpoint), value, risks.UNIT_POINTS, voice.about_survival(drawn.endpoint))
        for kind, words, value in ends
    ]


def attention_numbers(lesion: Lesion, findings: Findings) -> list[Measurement]:
    """How much each system looked at a lesion, and the organs that it compared it with."""
    return [
        number(
            _voice(system_title(name), findings.systems[name], findings).code("ATT", "attention"),
            weight,
            codes.UNIT_ONE,
            [modifier(risks.SYSTEM, system_title(name)), *_limits(findings, name), *_organs(lesion, name)],
        )
        for name, weight in lesion.attention.items()
        if name in findings.systems
    ]


def _organs(lesion: Lesion, system: str) -> list[ContentItem]:
    organs = lesion.context.get(system)
    return [remark(codes.CONTEXT_ORGANS, organs_words(organs))] if organs else []


def _limits(findings: Findings, name: str) -> tuple[ContentItem, ...]:
    return _voice(system_title(name), findings.systems[name], findings).limits
