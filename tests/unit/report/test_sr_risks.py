"""SR: indices, systems and nomograms read back by a walk over the data set that knows nothing of how it was made."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from nodal.outlook import ImpiFinding, PublishedRate, SystemFinding
from nodal.report.build import build
from nodal.report.inputs import ReportInputs, Target
from nodal.report.seg import build_seg
from nodal.report.sr import build_sr
from nodal.settings import Profile
from pydicom import Dataset, dcmread

from tests.unit.report.judged import conflicts, judged, unusable
from tests.unit.report.sample import sample_inputs, with_findings

pytestmark = pytest.mark.unit

OWN = Target(Profile(), "simulation_trained")
SIMULATED = "Simulation-trained, not for clinical use"
SHOWN = "Simulation-trained survival shown by setting"


@dataclass(frozen=True)
class Number:
    """A NUM item as a reader meets it: by names alone."""

    name: str
    code: str
    value: float
    unit: str
    about: dict[str, list[str | float]]

    def only(self, name: str) -> str | float:
        [value] = self.about[name]
        return value


def read(inputs: ReportInputs, target: Target = OWN) -> Dataset:
    result = build_sr(inputs, target, build_seg(inputs, target))
    assert result is not None
    return dcmread(io.BytesIO(result.data))


def name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def value(item: Dataset) -> str | float:
    if item.ValueType == "NUM":
        return float(item.MeasuredValueSequence[0].NumericValue)
    if item.ValueType == "CODE":
        return str(item.ConceptCodeSequence[0].CodeMeaning)
    return str(item.TextValue if item.ValueType == "TEXT" else item.UID)


def groups(dataset: Dataset) -> list[Dataset]:
    [measured] = [item for item in dataset.ContentSequence if name(item) == "Imaging Measurements"]
    return [item for item in measured.ContentSequence if name(item) == "Measurement Group"]


def said(group: Dataset, concept: str) -> list[str | float]:
    return [value(item) for item in group.ContentSequence if name(item) == concept]


def group_of(dataset: Dataset, finding: str) -> Dataset:
    [found] = [group for group in groups(dataset) if said(group, "Finding") == [finding]]
    return found


def numbers(group: Dataset) -> list[Number]:
    found = []
    for item in group.ContentSequence:
        if item.ValueType != "NUM":
            continue
        about: dict[str, list[str | float]] = {}
        for child in item.get("ContentSequence", ()):
            about.setdefault(name(child), []).append(value(child))
        unit = str(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue)
        code = str(item.ConceptNameCodeSequence[0].CodeValue)
        found.append(Number(name(item), code, float(value(item)), unit, about))
    return found


def every_item(item: Dataset) -> Iterator[Dataset]:
    yield item
    for child in item.get("ContentSequence", ()):
        yield from every_item(child)


def statements(dataset: Dataset) -> dict[str, list[str]]:
    [container] = [item for item in dataset.ContentSequence if name(item) == "Qualitative Evaluations"]
    found: dict[str, list[str]] = {}
    for item in container.ContentSequence:
        found.setdefault(name(item), []).append(str(item.TextValue))
    return found


INDEX_NAMES = {
    "ipi": "International Prognostic Index",
    "r_ipi": "Revised International Prognostic Index",
    "nccn_ipi": "NCCN International Prognostic Index",
    "cns_ipi": "Central Nervous System International Prognostic Index",
}


@pytest.mark.parametrize("field", list(INDEX_NAMES))
def test_points_group_and_published_survival_of_an_index(field: str) -> None:
    inputs = judged(sample_inputs(1))
    finding = getattr(inputs.findings.indices, field)
    group = group_of(read(inputs), INDEX_NAMES[field])
    points, *published = numbers(group)
    assert (points.name, points.value, points.unit) == (f"{finding.name} points", finding.points, "{points}")
    assert len(published) == len(finding.survival) > 0
    for rate, found in zip(finding.survival, published, strict=True):
        assert (found.value, found.unit) == (pytest.approx(100 * rate.share), "%")
        assert found.name.startswith(f"{finding.name} group, published: ")
        assert found.only("Time horizon") == rate.months if rate.months else "Time horizon" not in found.about
        assert found.only("Published in") == rate.source
        ends = [found.about.get(f"95 % interval of the estimate, {end} end") for end in ("lower", "upper")]
        assert ends == ([None, None] if rate.interval is None else [[round(100 * end, 6)] for end in rate.interval])


def test_what_a_published_share_is_of_is_in_its_name_and_beside_it() -> None:
    found = numbers(group_of(read(judged(sample_inputs(1))), INDEX_NAMES["ipi"]))
    told = {one.name: one.only("Endpoint") for one in found[1:]}
    assert told["IPI group, published: 5-year overall survival"] == "Overall survival"
    assert told["IPI group, published: complete remission"] == "Complete remission"
    assert {one.code for one in found} >= {"IPI_POINTS", "PUB_OS_60", "PUB_CR"}


def test_groups_are_coded_by_snomed_where_it_grades_them() -> None:
    dataset = read(judged(sample_inputs(1)))
    coded = {}
    for field, title in INDEX_NAMES.items():
        [item] = [item for item in group_of(dataset, title).ContentSequence if name(item) == "Risk group"]
        code = item.ConceptCodeSequence[0]
        coded[field] = (code.CodingSchemeDesignator, code.CodeValue)
    assert coded == {
        "ipi": ("SCT", "429557002"),
        "r_ipi": ("99NODAL", "G_POOR"),
        "nccn_ipi": ("SCT", "429557002"),
        "cns_ipi": ("SCT", "25594002"),
    }


def test_an_open_index_gives_both_ends_and_no_points_group_or_survival() -> None:
    inputs = judged(sample_inputs(1), missing=("ldh_ratio", "ecog"))
    finding = inputs.findings.indices.ipi
    assert finding is not None
    assert finding.points is None
    group = group_of(read(inputs), INDEX_NAMES["ipi"])
    assert [(one.name, one.value) for one in numbers(group)] == [
        ("IPI points, least possible", finding.range[0]),
        ("IPI points, most possible", finding.range[1]),
    ]
    assert said(group, "Risk group") == []
    assert said(group, "Possible risk group") == ["Low to moderate risk", "Moderate to high risk", "High risk"]
    assert said(group, "Not known") == ["LDH and ECOG performance status"]


def test_impi_is_a_linear_predictor_and_nothing_more() -> None:
    inputs = judged(sample_inputs(1))
    impi = inputs.findings.indices.impi
    assert impi is not None
    group = group_of(read(inputs), "International Metabolic Prognostic Index")
    [found] = numbers(group)
    assert (found.name, found.unit) == ("IMPI linear predictor", "1")
    assert found.value == pytest.approx(impi.linear_predictor)
    assert "not published" in str(said(group, "In words")[0])


def test_impi_without_a_stage_is_a_range_with_its_percentiles() -> None:
    inputs = judged(sample_inputs(1))
    impi = ImpiFinding(None, (0.9, 1.34), ("stage",), (40.0, 61.0), "a cohort")
    inputs = with_findings(inputs, indices=replace(inputs.findings.indices, impi=impi))
    low, high = numbers(group_of(read(inputs), "International Metabolic Prognostic Index"))
    assert (low.value, high.value) == (0.9, 1.34)
    assert [one.only("Percentile Ranking of measurement") for one in (low, high)] == [40.0, 61.0]
    assert low.only("Among") == "a cohort"


def check_survival(system: SystemFinding, title: str, found: list[Number], ending: str) -> None:
    """Every survival figure of a system against the findings, by name alone."""
    by_name = {one.name: one for one in found}
    horizons = {12: "1-year", 36: "3-year", 60: "5-year"}
    for endpoint, finding in system.endpoint.items():
        long_name = {"pfs": "Progression-free survival", "os": "Overall survival"}[endpoint]
        for at in finding.survival:
            prefix = f"{title}: {horizons[int(at.months)]} {endpoint.upper()}, "
            if at.probability is not None:
                predicted = by_name[f"{prefix}predicted{ending}"]
                values = (predicted.value, *(predicted.only(f"95 % interval of the estimate, {e} end") for e in ENDS))
                assert values == pytest.approx([100 * x for x in (at.probability, *at.ci)], abs=1e-6)
                about = [predicted]
            else:
                about = [by_name[f"{prefix}{end} possible{ending}"] for end in ("least", "most")]
                assert [one.value for one in about] == pytest.approx([100 * x for x in at.range], abs=1e-6)
                ends = [one.only(f"95 % interval of the estimate, {e} end") for one, e in zip(about, ENDS, strict=True)]
                assert ends == pytest.approx([100 * x for x in at.ci], abs=1e-6)
            for one in about:
                assert (one.unit, one.only("Time horizon"), one.only("Endpoint")) == ("%", at.months, long_name)


ENDS = ("lower", "upper")


@pytest.mark.parametrize("missing", [(), ("ldh_ratio", "ecog")], ids=["complete", "missing"])
def test_survival_with_endpoint_horizon_and_interval(missing: tuple[str, ...]) -> None:
    inputs = judged(sample_inputs(1), missing=missing)
    dataset = read(inputs)
    for key, title in (("lamp", "LAMP"), ("deepmts", "DeepMTS")):
        system = inputs.findings.systems[key]
        found = numbers(group_of(dataset, title))
        check_survival(system, title, found, "")
        assert len([one for one in found if one.unit == "%"]) == (12 if missing else 6)


def test_risk_percentile_group_and_scores() -> None:
    inputs = judged(sample_inputs(1))
    system = inputs.findings.systems["deepmts"]
    group = group_of(read(inputs), "DeepMTS")
    found = {one.name: one for one in numbers(group)}
    for endpoint, finding in system.endpoint.items():
        risk = found[f"DeepMTS: {endpoint.upper()}, risk score"]
        assert risk.value == finding.risk
        assert risk.only("Percentile Ranking of measurement") == finding.percentile[0]
    assert found["DeepMTS: auto_radio"].value == system.scores["auto_radio"]
    groups_said = [item for item in group.ContentSequence if name(item) == "Risk group"]
    assert [value(item) for item in groups_said] == ["High risk", "High risk"]
    assert [value(item.ContentSequence[0]) for item in groups_said] == ["Progression-free survival", "Overall survival"]


def test_an_open_risk_is_a_range_without_a_group() -> None:
    inputs = judged(sample_inputs(1), missing=("ldh_ratio",))
    finding = inputs.findings.systems["deepmts"].endpoint["pfs"]
    group = group_of(read(inputs), "DeepMTS")
    found = {one.name: one for one in numbers(group)}
    ends = [found[f"DeepMTS: PFS, risk score, {end} possible"] for end in ("least", "most")]
    assert [one.value for one in ends] == list(finding.risk_range)
    assert [one.only("Percentile Ranking of measurement") for one in ends] == list(finding.percentile)
    assert "DeepMTS: PFS, risk score" not in found
    assert said(group, "Risk group") == []


def test_a_systems_identity_is_the_very_bundle() -> None:
    inputs = judged(sample_inputs(1), "E2")
    group = group_of(read(inputs), "LAMP")
    assert said(group, "Algorithm Name") == ["lamp"]
    assert said(group, "Algorithm Version") == ["0.9.1"]
    parameters = dict(str(text).split("=", 1) for text in said(group, "Algorithm Parameters"))
    assert parameters["bundle_sha256"] == "ab" * 32
    assert parameters["trained_on"] == "patients: St Elsewhere 2012-2020, North, n = 258, 93 events"
    assert parameters["evidence"].startswith("E2")
    assert parameters["harrell_c_pfs"] == "0.741 (0.688 to 0.792)"
    assert said(group, "Evidence level") == ["E2: local patients, externally validated"]
    assert said(group, "Like the patients it was trained on") == ["unusual: liver_suv_mean"]


def simulated_figures(dataset: Dataset) -> list[Number]:
    """Every number of a system or nomogram: those of the patient's groups that are not of the scan or an index."""
    found = [number for group in groups(dataset) for number in numbers(group)]
    return [one for one in found if one.name.split(":")[0] in ("LAMP", "DeepMTS", "MTDLR")]


@pytest.mark.parametrize("virtual", [True, False])
def test_each_simulation_trained_figure_carries_its_qualifier(virtual: bool) -> None:
    inputs = judged(sample_inputs(2, virtual=virtual), "E0")
    dataset = read(inputs)
    found = simulated_figures(dataset)
    survival = [one for one in found if "Time horizon" in one.about]
    assert len(survival) == 12
    for one in found:
        assert one.name.endswith(", simulation-trained"), one.name
        assert one.code.startswith("SIM_"), one.code
        assert SIMULATED in one.about["Limits of use"]
    # A real patient's survival by such a model is there by a setting alone, and says so.
    assert all((SHOWN in one.about["Limits of use"]) is not virtual for one in survival)
    limits = statements(dataset)["Limits of use"]
    assert limits[:2] == [f"LAMP: {SIMULATED}", f"DeepMTS: {SIMULATED}"]
    assert bool(limits[2:]) is not virtual
    check_survival(inputs.findings.systems["lamp"], "LAMP", found, ", simulation-trained")


def test_a_locally_trained_figure_has_no_such_qualifier() -> None:
    dataset = read(judged(sample_inputs(1), "E1"))
    assert all("simulation" not in one.name and "Limits of use" not in one.about for one in simulated_figures(dataset))
    assert "Limits of use" not in statements(dataset)


def test_what_is_withheld_is_in_no_item() -> None:
    inputs = judged(sample_inputs(1), "E0", withheld=True)
    dataset = read(inputs)
    found = simulated_figures(dataset)
    assert {one.name.split(", ")[0] for one in found} >= {"DeepMTS: PFS", "LAMP: OS"}
    assert not [one for one in found if "Time horizon" in one.about or one.unit == "{points}"]
    for title in ("LAMP", "DeepMTS"):
        assert said(group_of(dataset, title), "Risk group") == []
    assert not [group for group in groups(dataset) if "nomogram" in str(said(group, "Finding"))]
    assert all(SHOWN not in one.about["Limits of use"] for one in found)
    # Percentile and score remain.
    risk = next(one for one in found if one.name == "DeepMTS: PFS, risk score, simulation-trained")
    assert risk.only("Percentile Ranking of measurement") == 83.0


@pytest.mark.parametrize("missing", [(), ("ldh_ratio",)], ids=["complete", "missing"])
@pytest.mark.parametrize(("endpoint", "words"), [("pfs", "progression-free survival"), ("os", "overall survival")])
def test_a_nomograms_points_add_up(endpoint: str, words: str, missing: tuple[str, ...]) -> None:
    inputs = judged(sample_inputs(1), missing=missing)
    drawn = inputs.findings.nomograms["mtdlr"][endpoint]
    group = group_of(read(inputs), f"MTDLR nomogram, {words}")
    found = numbers(group)
    points = [one for one in found if "Covariate" in one.about]
    known = [point for point in drawn.points if point.points is not None]
    labels = {axis.covariate: axis.label for axis in drawn.axes}
    assert [(one.only("Covariate"), one.only("Value on the axis"), one.value) for one in points] == [
        (labels[point.covariate], point.value, pytest.approx(point.points)) for point in known
    ]
    assert points[1].name == f"MTDLR: {endpoint.upper()}, points of Ann Arbor stage"
    totals = {one.name: one.value for one in found if "Covariate" not in one.about}
    name_of = f"MTDLR: {endpoint.upper()}, total points"
    if missing:
        assert totals == {
            f"{name_of}, least possible": pytest.approx(drawn.total_range[0]),
            f"{name_of}, most possible": pytest.approx(drawn.total_range[1]),
        }
        assert said(group, "Not known") == ["LDH"]
    else:
        assert totals == {name_of: pytest.approx(sum(one.value for one in points))}


def test_attention_stands_with_its_lesion() -> None:
    inputs = judged(sample_inputs(3), "E0")
    found = [one for group in groups(read(inputs)) for one in numbers(group) if one.name.startswith("LAMP: attention")]
    assert [one.value for one in found] == pytest.approx([x.attention["lamp"] for x in inputs.findings.lesions])


def test_suggestions_conflicts_and_disagreements_are_said() -> None:
    inputs = judged(sample_inputs(1))
    clinical = replace(inputs.findings.clinical, conflicts=conflicts(2), unusable=unusable(1))
    found = statements(read(with_findings(inputs, clinical=clinical)))
    assert found["Suggestion, to be confirmed"] == [
        "Suggested Ann Arbor stage, to be confirmed: IV. Uptake in the spleen and in two organs that are not lymphatic."
        " A lesion touches the stomach: contiguous extension would be stage II E."
    ]
    assert found["Sources differ"][0] == (
        "Ann Arbor stage: III (FHIR server, 2024-06-05) used; IV (file with the study, 2024-05-10), "
        "IV (entered by hand) also given"
    )
    assert len(found["Sources differ"]) == 2
    assert found["Not used"] == ['LDH: "LDH 300 U/L" (HL7 message) not used: the upper limit of normal is not stated']
    assert found["Systems disagree"] == list(inputs.findings.disagreements)


def test_groups_of_the_patient_share_one_tracking_uid_and_its_point() -> None:
    # A Tracking UID without coordinates, and a group without any, are what viewers stumble over.
    found = groups(read(judged(sample_inputs(2))))
    patients = [group for group in found if said(group, "Tracking Identifier") == ["Whole patient"]]
    uids = {uid for group in patients for uid in said(group, "Tracking Unique Identifier")}
    assert len(uids) == 1
    assert all(said(group, "Tracking Unique Identifier") for group in found)
    assert sum(any(item.ValueType == "SCOORD" for item in group.ContentSequence) for group in patients) == 1
    drawn = [group for group in found if any(item.ValueType == "SCOORD" for item in group.ContentSequence)]
    assert not [item for group in drawn for item in group.ContentSequence if item.ValueType == "NUM"]
    # The first comment of the patient is the label of the point.
    labels = [text for group in patients for text in said(group, "Comment")]
    assert len(labels) == 1
    assert "IPI 3 of 5" in str(labels[0])


def test_without_lesion_no_group_has_a_tracking_uid() -> None:
    dataset = read(judged(sample_inputs(0)))
    found = groups(dataset)
    assert len(found) > 5
    assert all(said(group, "Tracking Unique Identifier") == [] for group in found)
    assert all(said(group, "Tracking Identifier") == ["Whole patient"] for group in found)


def test_codes_fit_and_containers_are_separate() -> None:
    rate = PublishedRate("an endpoint that nobody has heard of before, with a long name", 30, 0.5, None, "nowhere")
    inputs = judged(sample_inputs(1), "E0")
    ipi = replace(inputs.findings.indices.ipi, survival=(rate,), group="a group of a very long name indeed, longer")
    lamp = replace(inputs.findings.systems["lamp"], scores={"a_score_with_quite_a_long_name_that_goes_on": 0.1})
    inputs = with_findings(
        inputs, indices=replace(inputs.findings.indices, ipi=ipi), systems={**inputs.findings.systems, "lamp": lamp}
    )
    for item in every_item(read(inputs)):
        for code in (*item.get("ConceptNameCodeSequence", ()), *item.get("ConceptCodeSequence", ())):
            assert len(code.CodeValue) <= 16
            assert len(code.CodeMeaning) <= 64
        if item.ValueType == "CONTAINER":
            assert item.ContinuityOfContent == "SEPARATE"


def test_an_object_for_measurements_has_the_indices_and_no_system() -> None:
    result = next(
        one for one in build(judged(sample_inputs(1), "E0"), Target(Profile(), "measurements")) if one.kind == "sr"
    )
    dataset = dcmread(io.BytesIO(result.data))
    assert simulated_figures(dataset) == []
    assert numbers(group_of(dataset, INDEX_NAMES["ipi"]))
    assert statements(dataset)["Not sent to this destination"] == [
        "systems.deepmts: NOT_SENT, not sent to this destination",
        "systems.lamp: NOT_SENT, not sent to this destination",
    ]
    assert [item.ManufacturerModelName for item in dataset.ContributingEquipmentSequence] == ["Nodal lymphoma node"]


@pytest.mark.parametrize("character_set", ["ISO_IR 192", "ISO_IR 100", "ISO_IR 6"])
def test_names_that_a_site_chose_keep_their_letters(character_set: str) -> None:
    inputs = judged(sample_inputs(1))
    lamp = inputs.findings.systems["lamp"]
    group_name, cohort = "hohes Risiko – Übergang", "Universitätsspital Zürich, 東京"
    endpoint = {name: replace(one, group=group_name) for name, one in lamp.endpoint.items()}
    systems = {**inputs.findings.systems, "lamp": replace(lamp, cohorts=(cohort,), endpoint=endpoint)}
    target = Target(Profile(character_set=character_set), "simulation_trained")
    group = group_of(read(with_findings(inputs, systems=systems), target), "LAMP")
    assert said(group, "Risk group") == [group_name, group_name]
    assert cohort in str(said(group, "Trained on")[0])


def test_a_group_without_a_latin_letter_has_a_code() -> None:
    inputs = judged(sample_inputs(1))
    lamp = inputs.findings.systems["lamp"]
    endpoint = {"pfs": replace(lamp.endpoint["pfs"], group="高")}
    systems = {"lamp": replace(lamp, endpoint=endpoint)}
    group = group_of(read(with_findings(inputs, systems=systems, nomograms={})), "LAMP")
    [item] = [item for item in group.ContentSequence if name(item) == "Risk group"]
    assert item.ConceptCodeSequence[0].CodeMeaning == "高"
    assert item.ConceptCodeSequence[0].CodeValue.startswith("G_")
