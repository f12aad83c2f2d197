"""The node's prognosis: what is computed, what is not and why, and what the evidence level holds back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.anatomy import NoAnatomy
from lymphoma.combined.export import export_combined
from lymphoma.combined.fit import fit_combined
from lymphoma.combined.model import Part
from lymphoma.evaluation.acceptance import signed
from lymphoma.evaluation.scoring import with_scores
from lymphoma.imaging import Volume
from lymphoma.prognosis.system import StudyArrays
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.bundle import Bundle, write_evidence
from nodal.errors import Code, SettingsInvalid
from nodal.findings import Segmentation, Totals
from nodal.prognosis.shelf import Shelf, open_shelf
from nodal.prognosis.site_key import make_site_key
from nodal.prognosis.study import Asked, Prognosis, pet_measures, prognose
from nodal.settings import Settings

from tests.bundles import feature_patients, site_bundle

pytestmark = pytest.mark.unit

TOTALS = Totals(
    field_of_view="whole", tmtv_ml=300.0, tmtv_range_ml=(300.0, 300.0), tlg_g=2000.0, suv_max=20.0, suv_peak=16.0,
    suv_mean=7.0, lesion_count=6, dmax_mm=320.0, dmax_bulk_mm=300.0, sdmax_per_m=0.17, bulky=False,
)  # fmt: skip
KNOWN = ClinicalFactors(
    age_years=62.0, sex="F", stage=3, ldh_ratio=1.4, ecog=1, extranodal_sites=("liver",), cell_of_origin="GCB"
)
CONTOUR = Segmentation("reference", "given contour", 0.0, 26)
ASKED = Asked(KNOWN, TOTALS, CONTOUR, virtual=False)


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shelf]:
    """A node with a bundle of each level in its settings."""
    folder = tmp_path_factory.mktemp("bundles")
    site_bundle(folder / "E0", "E0")
    sign(site_bundle(folder / "E1", "E1"), folder / "state")
    return {level: shelf_with(folder / level) for level in ("E0", "E1")}


def sign(bundle: Bundle, state_dir: Path) -> Bundle:
    """As ``nodal qualify`` leaves it."""
    assert bundle.evidence.acceptance is not None
    acceptance = signed(bundle.evidence.acceptance, make_site_key(state_dir))
    return write_evidence(bundle, replace(bundle.evidence, acceptance=acceptance))


def shelf_with(*bundles: Path) -> Shelf:
    state = bundles[0].parent / "state"
    return open_shelf(Settings(state_dir=state, bundles={f"own-{n}": path for n, path in enumerate(bundles)}))


def arrays() -> StudyArrays:
    tiny = Volume(np.zeros((2, 2, 2), np.float32), np.eye(4))
    return StudyArrays(tiny, tiny, tiny, NoAnatomy().find(tiny, tiny), KNOWN, pet_measures(TOTALS))


def run(asked: Asked, shelf: Shelf) -> Prognosis:
    def study() -> StudyArrays:
        return replace(arrays(), clinical=asked.clinical, pet=pet_measures(asked.totals))

    return prognose(asked, shelf, study)


def codes(found: Prognosis) -> dict[str, str]:
    return {one.item: one.code for one in found.not_computed}


def test_a_virtual_model_says_no_survival_of_a_real_patient(shelves) -> None:
    found = run(ASKED, shelves["E0"])
    assert found.systems["site"].status == "computed"
    assert all(one.withheld for one in found.systems["site"].endpoint.values())
    assert all(one.withheld for one in found.nomograms["site"].values())


@pytest.mark.parametrize(
    ("level", "changes"),
    [("E0", {"virtual": True}), ("E0", {"show_simulated": True}), ("E1", {}), ("E1", {"virtual": True})],
)
def test_what_is_shown(shelves, level: str, changes: dict[str, bool]) -> None:
    found = run(replace(ASKED, **changes), shelves[level])
    assert found.systems["site"].evidence == level
    assert not any(one.withheld for one in found.systems["site"].endpoint.values())
    assert not any(one.withheld for one in found.nomograms["site"].values())
    for endpoint, drawn in found.nomograms["site"].items():
        said = found.systems["site"].endpoint[endpoint]
        assert drawn.survival == said.survival
        assert sum(one.points for one in drawn.points) == pytest.approx(drawn.total_points)


def test_an_endpoint_that_the_bundle_has_no_model_of_is_named(shelves, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Bundle.survival
    monkeypatch.setattr(Bundle, "survival", lambda own, endpoint: None if endpoint == "pfs" else whole(own, endpoint))
    found = run(ASKED, shelves["E1"])
    assert list(found.systems["site"].endpoint) == list(found.nomograms["site"]) == ["os"]
    assert codes(found)["systems.site.pfs"] == Code.NOT_TRAINED
    assert "systems.site.os" not in codes(found)


def test_a_missing_covariate_leaves_a_range_and_no_single_number(shelves) -> None:
    found = run(replace(ASKED, clinical=replace(KNOWN, age_years=None), virtual=True), shelves["E0"])
    said = found.systems["site"].endpoint["pfs"]
    assert said.risk is None
    assert said.risk_range[0] < said.risk_range[1]
    assert all(one.probability is None and one.range[0] < one.range[1] for one in said.survival)
    drawn = found.nomograms["site"]["pfs"]
    assert drawn.missing == ("age_years",)
    assert (drawn.total_points, [one.name for one in drawn.patient_curves]) == (
        None,
        ["this patient, at best", "this patient, at worst"],
    )
    assert codes(found)["indices.impi"] == Code.NO_CLINICAL_RECORD


@pytest.mark.parametrize(
    ("changes", "item", "code"),
    [
        ({"totals": replace(TOTALS, field_of_view="partial")}, "systems.site", Code.FOV_PARTIAL),
        ({"totals": replace(TOTALS, field_of_view="partial")}, "indices.impi", Code.FOV_PARTIAL),
        ({"totals": replace(TOTALS, field_of_view="partial")}, "nomograms.site", Code.FOV_PARTIAL),
        ({"segmentation": Segmentation("suv4", "SUV >= 4.0", 3.0, 26)}, "systems.site",
         Code.PHYSIOLOGICAL_UPTAKE),
        ({"segmentation": Segmentation("suv4", "SUV >= 4.0", 3.0, 26)}, "indices.impi",
         Code.PHYSIOLOGICAL_UPTAKE),
        ({"segmentation": Segmentation("suv4", "SUV >= 4.0", 3.0, 26, anatomy_engine="network")}, "systems.site",
         Code.PHYSIOLOGICAL_UPTAKE),
        ({"segmentation": Segmentation("suv4_reviewed", "judged", 3.0, 26, anatomy_engine="network",
                                       in_range="outside")}, "systems.site", Code.OUT_OF_DISTRIBUTION),
        ({"segmentation": Segmentation("nnunet", "a model", 3.0, 26, anatomy_engine="given")}, "indices.impi",
         Code.COVARIATE_INVALID),
        ({"totals": replace(TOTALS, tmtv_ml=0.0, lesion_count=0)}, "indices.impi", Code.NO_AVID_LESION),
        ({"totals": replace(TOTALS, tmtv_ml=90_000.0)}, "systems.site", Code.OUT_OF_DISTRIBUTION),
        ({"clinical": ClinicalFactors(age_years=62.0)}, "indices.ipi", Code.NO_CLINICAL_RECORD),
        ({}, "systems.multitask_unet", Code.NO_BUNDLE),
    ],
)  # fmt: skip
def test_what_is_not_computed_and_its_code(shelves, changes, item: str, code: Code) -> None:
    assert codes(run(replace(ASKED, **changes), shelves["E1"]))[item] == code


def test_a_partial_scan_may_be_judged_where_it_is_asked_for(shelves) -> None:
    partial = replace(ASKED, totals=replace(TOTALS, field_of_view="partial"), allow_partial=True)
    found = run(partial, shelves["E1"])
    assert found.systems["site"].status == "computed"
    assert found.indices.impi is not None
    outside = replace(partial, totals=replace(partial.totals, tmtv_ml=90_000.0))
    assert codes(run(outside, shelves["E1"]))["systems.site"] == Code.OUT_OF_DISTRIBUTION


def test_indices_need_no_volume(shelves) -> None:
    partial = replace(ASKED, totals=replace(TOTALS, field_of_view="partial"))
    found = run(partial, shelves["E1"]).indices
    assert (found.ipi.points, found.ipi.group) == (3, "high-intermediate")
    assert (found.nccn_ipi.points, found.r_ipi.group, found.cns_ipi.points) == (5, "poor", 3)
    assert found.aa_ipi is None
    assert found.impi is None


def test_a_missing_factor_opens_the_points(shelves) -> None:
    found = run(replace(ASKED, clinical=replace(KNOWN, ldh_ratio=None)), shelves["E1"]).indices
    assert found.ipi.points is None
    assert found.ipi.range == (2, 3)
    assert (found.ipi.group, found.ipi.open_groups) == (None, ("low-intermediate", "high-intermediate"))
    assert found.ipi.survival == ()
    assert found.nccn_ipi.range == (4, 6)


def test_the_impi_of_a_virtual_patient_has_its_place_among_virtual_ones_and_says_so(shelves) -> None:
    own = run(replace(ASKED, virtual=True), shelves["E0"]).indices.impi
    assert own is not None
    assert own.cohort is not None
    assert " virtual patients (" in own.cohort
    real = run(ASKED, shelves["E0"]).indices.impi
    assert real is not None
    assert real.cohort is None


def test_the_impi_has_its_place_among_the_patients_of_the_site(shelves) -> None:
    own = run(ASKED, shelves["E1"]).indices.impi
    low, high = own.percentile
    assert 0 < low == high < 100
    worse = run(replace(ASKED, clinical=replace(KNOWN, stage=4, age_years=85.0)), shelves["E1"]).indices.impi
    assert worse.percentile[0] > high
    open_ = run(replace(ASKED, clinical=replace(KNOWN, stage=None)), shelves["E1"]).indices.impi
    assert open_.percentile[0] < open_.percentile[1]
    assert run(ASKED, shelves["E0"]).indices.impi.percentile is None
    assert run(replace(ASKED, virtual=True), shelves["E0"]).indices.impi.percentile is not None


def test_only_the_systems_that_are_asked_for(shelves) -> None:
    found = run(replace(ASKED, systems=("multitask_unet",)), shelves["E1"])
    assert found.systems == {}
    assert "systems.site" not in codes(found)
    assert found.bundles == ()


def test_volumes_are_not_read_where_no_system_runs(shelves) -> None:
    def never() -> StudyArrays:
        raise AssertionError("no system runs")

    partial = replace(ASKED, totals=replace(TOTALS, field_of_view="partial"))
    assert prognose(partial, shelves["E1"], never).systems == {}


def test_the_bundle_that_spoke_is_named(shelves) -> None:
    shelf = shelves["E1"]
    (used,) = run(replace(ASKED, systems=("site",)), shelf).bundles
    assert used.sha256 == shelf.bundles["site"].digest


def test_what_a_site_did_with_the_bundle_is_said(shelves) -> None:
    system = run(ASKED, shelves["E1"]).systems["site"]
    assert system.trained_on == "patients"
    assert any(remark.startswith("Accepted on") and remark.endswith("2026-01-01") for remark in system.remarks)
    assert run(ASKED, shelves["E0"]).systems["site"].remarks == ()


def test_an_unaccepted_bundle_never_gives_way_to_the_shipped_one(tmp_path: Path) -> None:
    site_bundle(tmp_path / "site", "E1", accepted=False)
    shelf = open_shelf(Settings(state_dir=tmp_path, bundles={"our-own": tmp_path / "site"}))
    assert "site" not in shelf.bundles
    assert codes(run(ASKED, shelf))["systems.site"] == Code.BUNDLE_NOT_ACCEPTED


def test_an_acceptance_that_was_not_signed_here_does_not_count(tmp_path: Path) -> None:
    sign(site_bundle(tmp_path / "site", "E1"), tmp_path / "elsewhere")
    make_site_key(tmp_path)
    shelf = open_shelf(Settings(state_dir=tmp_path, bundles={"site": tmp_path / "site"}))
    assert codes(run(ASKED, shelf))["systems.site"] == Code.BUNDLE_NOT_ACCEPTED


def test_a_combination_speaks_after_its_parts(tmp_path: Path) -> None:
    site = site_bundle(tmp_path / "site", "E0")
    patients = with_scores(feature_patients(), [site])
    parts = [Part("site", site.metadata.name, site.metadata.version, site.digest)]
    fits = [fit_combined(patients, parts, "pfs", resamples=50)]
    export_combined(tmp_path / "both", fits, [site], patients, name="both")
    shelf = open_shelf(Settings(state_dir=tmp_path, bundles={"site": tmp_path / "site", "both": tmp_path / "both"}))
    found = run(replace(ASKED, virtual=True, systems=("site", "combined")), shelf)
    assert found.systems["combined"].status == "computed"
    assert set(found.systems["combined"].endpoint) == {"pfs"}
    assert {used.name for used in found.bundles} == {"site E0", "both"}
    alone = run(replace(ASKED, virtual=True, clinical=replace(KNOWN, age_years=None)), shelf)
    assert codes(alone)["systems.combined"] == Code.MEASURE_MISSING
    other = open_shelf(Settings(state_dir=tmp_path, bundles={"both": tmp_path / "both"}))
    assert codes(run(ASKED, other))["systems.combined"] == Code.BUNDLE_DIGEST_MISMATCH


def test_two_bundles_of_one_system_are_a_fault_of_the_settings(tmp_path: Path) -> None:
    for name in ("a", "b"):
        site_bundle(tmp_path / name)
    with pytest.raises(SettingsInvalid, match="both belong to site"):
        shelf_with(tmp_path / "a", tmp_path / "b")


def test_the_shipped_bundle_is_on_the_shelf(tmp_path: Path) -> None:
    shelf = open_shelf(Settings(state_dir=tmp_path))
    assert shelf.bundles["site"].evidence.level == "E0"
    assert shelf.refused == {}
