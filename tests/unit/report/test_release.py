"""What may leave: systems above a destination's limit and figures that are withheld are taken out, and said to be."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import pytest
from nodal.findings import BundleUsed, Findings, NotComputed
from nodal.report.release import release
from nodal.settings import Accepts

from tests.unit.report.judged import Level, judged
from tests.unit.report.sample import sample_inputs

pytestmark = pytest.mark.unit

LIMITS: tuple[Accepts, ...] = ("measurements", "locally_trained", "simulation_trained")
LEVELS: tuple[Level, ...] = ("E0", "E1", "E2")
# The lowest limit, as its place in LIMITS, that lets a level through.
NEEDED = {"E0": 2, "E1": 1, "E2": 1}


def findings_of(level: Level = "E1", *, virtual: bool = False, withheld: bool = False, **changes: Any) -> Findings:
    return judged(sample_inputs(2, virtual=virtual), level, withheld=withheld, **changes).findings


def words(value: object) -> str:
    """All that stands anywhere in findings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return " ".join(words(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, dict):
        return " ".join(f"{key} {words(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return " ".join(words(one) for one in value)
    return repr(value)


@pytest.mark.parametrize("virtual", [False, True], ids=["real", "virtual"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("accepts", LIMITS)
def test_a_limit_lets_its_levels_through_whoever_the_patient_is(accepts: Accepts, level: Level, virtual: bool) -> None:
    findings = findings_of(level, virtual=virtual)
    released = release(findings, accepts)
    leaves = LIMITS.index(accepts) >= NEEDED[level]
    unsent = {item.item for item in released.not_computed if item.code == "NOT_SENT"}
    if leaves:
        assert released is findings
        return
    assert released.systems == {}
    assert released.nomograms == {}
    assert all(lesion.attention == {} for lesion in released.lesions)
    assert released.disagreements == ()
    assert released.provenance.bundles == ()
    assert unsent == {"systems.lamp", "systems.deepmts"}
    # What is measured, published or only suggested is no system's.
    for field in ("indices", "suggestions", "totals", "clinical", "quality", "rejected_candidates", "segmentation"):
        assert getattr(released, field) == getattr(findings, field), field


def test_nothing_of_a_held_back_system_stays_anywhere() -> None:
    findings = findings_of("E0")
    marks = ("0.4213", "0.2718", "0.3124", "cdcdcd", "abab", "'lamp'", "deepmts", "DeepMTS")
    before, after = words(findings), words(release(findings, "locally_trained"))
    assert all(mark in before for mark in marks)
    listed = "'systems.deepmts'"
    assert [mark for mark in marks if mark in after.replace(listed, "")] == []


def mixed() -> Findings:
    """LAMP is simulation-trained, DeepMTS local."""
    findings = findings_of("E1")
    systems = {**findings.systems, "lamp": replace(findings.systems["lamp"], evidence="E0", trained_on="virtual")}
    lesions = tuple(replace(lesion, attention={"lamp": 0.6, "deepmts": 0.4}) for lesion in findings.lesions)
    return replace(
        findings,
        systems=systems,
        lesions=lesions,
        disagreements=(
            "LAMP finds low risk, DeepMTS high risk.",
            "The NCCN-IPI is high-intermediate or high, yet DeepMTS finds low risk.",
            "Two models differ.",
        ),
    )


def test_a_system_that_may_leave_keeps_what_is_its_own() -> None:
    findings = mixed()
    released = release(findings, "locally_trained")
    assert set(released.systems) == {"deepmts", "dfr_signature"}
    assert released.nomograms == findings.nomograms
    assert [lesion.attention for lesion in released.lesions] == [{"deepmts": 0.4}, {"deepmts": 0.4}]
    # The first names the one that stays behind; the third could speak of it.
    assert released.disagreements == (findings.disagreements[1],)
    assert [bundle.name for bundle in released.provenance.bundles] == ["deepmts"]


def test_a_nomogram_goes_with_its_own_system_only() -> None:
    findings = mixed()
    of_lamp = {name: replace(drawn, system="lamp") for name, drawn in findings.nomograms["mtdlr"].items()}
    released = release(replace(findings, nomograms={**findings.nomograms, "other": of_lamp}), "locally_trained")
    assert set(released.nomograms) == {"mtdlr"}


def test_a_nomogram_of_nobody_known_stays_behind() -> None:
    findings = mixed()
    orphan = {"pfs": replace(findings.nomograms["mtdlr"]["pfs"], system="unknown")}
    assert "site" not in release(replace(findings, nomograms={"site": orphan}), "locally_trained").nomograms


def test_a_bundle_that_no_system_answers_for_stays_named() -> None:
    findings = mixed()
    contour = BundleUsed("segmenter", "1.0", "ee" * 32)
    bundles = (*findings.provenance.bundles, contour)
    released = release(replace(findings, provenance=replace(findings.provenance, bundles=bundles)), "measurements")
    assert released.provenance.bundles == (contour,)


def test_a_system_that_was_not_computed_keeps_its_own_reason() -> None:
    released = release(findings_of("E0"), "measurements")
    said = [item for item in released.not_computed if item.item == "systems.dfr_signature"]
    assert [item.code for item in said] == ["OUT_OF_DISTRIBUTION"]


@pytest.mark.parametrize("accepts", LIMITS)
def test_what_is_withheld_leaves_for_nobody(accepts: Accepts) -> None:
    findings = findings_of("E0", withheld=True)
    released = release(findings, accepts)
    for system in released.systems.values():
        assert system.classes == {}
        assert not [name for name in system.scores if name.startswith("p_")]
        for endpoint in system.endpoint.values():
            assert (endpoint.group, endpoint.survival) == (None, ())
    for by_endpoint in released.nomograms.values():
        for drawn in by_endpoint.values():
            assert [(point.value, point.points) for point in drawn.points] == [(None, None)] * len(drawn.points)
            assert (drawn.total_points, drawn.survival, drawn.group) == (None, (), None)
            assert (drawn.group_curves, drawn.patient_curves) == ((), ())
            assert drawn.axes
    secret = f"{findings.nomograms['mtdlr']['pfs'].survival[0].range[0]!r}"
    assert secret in words(findings)
    assert secret not in words(released)
    if accepts == "simulation_trained":
        # Score and percentile may be shown of a simulation-trained system.
        assert released.systems["deepmts"].endpoint["pfs"].risk == findings.systems["deepmts"].endpoint["pfs"].risk
        assert released.systems["deepmts"].scores == findings.systems["deepmts"].scores


def test_a_system_without_endpoint_shows_no_probability_of_a_real_patient() -> None:
    findings = findings_of("E0")
    bare = {"lamp": replace(findings.systems["lamp"], endpoint={}, classes={"risk": "high"})}
    real = release(replace(findings, systems=bare), "simulation_trained").systems["lamp"]
    assert (real.scores, real.classes) == ({}, {})
    virtual = release(replace(findings, systems=bare, virtual=True), "simulation_trained").systems["lamp"]
    assert (virtual.scores, virtual.classes) == ({"p_event_24m": 0.2718}, {"risk": "high"})


def test_measures_alone_leave_unchanged() -> None:
    findings = sample_inputs(1).findings
    assert release(findings, "measurements") is findings


def test_what_was_not_sent_is_added_to_what_was_not_computed() -> None:
    findings = findings_of("E0")
    released = release(findings, "measurements")
    assert released.not_computed[: len(findings.not_computed)] == findings.not_computed
    assert released.not_computed[-1] == NotComputed("systems.lamp", "NOT_SENT", "not sent to this destination")
