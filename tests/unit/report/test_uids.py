"""UIDs: valid, stable, and different wherever their meaning is."""

from __future__ import annotations

import pytest
from nodal.report.inputs import Target
from nodal.report.uids import derived_uid, object_uid, series_uid, stable_uid, tracking_uid
from nodal.settings import Profile
from pydicom.uid import UID

pytestmark = pytest.mark.unit

OWN = Target(Profile(), "measurements")


def test_a_uid_is_valid_and_holds_a_uuid_of_version_8() -> None:
    uid = UID(stable_uid("a", "b"))
    assert uid.is_valid
    number = int(uid.removeprefix("2.25."))
    assert number < 2**128
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0b11 == 0b10


def test_the_same_parts_name_the_same_thing_for_ever() -> None:
    # Written down once: a change of the rule would break every identity already in an archive.
    assert stable_uid("nodal", "x") == "2.25.4883389037695269238959959866999615281"


def test_where_one_part_ends_matters() -> None:
    assert stable_uid("ab", "c") != stable_uid("a", "bc")
    assert stable_uid("ab") != stable_uid("ab", "")


def test_object_uid_depends_on_kind_profile_accepts_and_digest() -> None:
    uids = {
        object_uid("seg", OWN, "d1"),
        object_uid("sr", OWN, "d1"),
        object_uid("seg", OWN, "d2"),
        object_uid("seg", Target(Profile(), "locally_trained"), "d1"),
        object_uid("seg", Target(Profile(seg="labelmap"), "measurements"), "d1"),
    }
    assert len(uids) == 5


def test_series_and_derived_uids_belong_to_their_object() -> None:
    one, other = object_uid("sr", OWN, "d1"), object_uid("sr", OWN, "d2")
    assert series_uid(one) != series_uid(other)
    assert derived_uid(one, "dimensions") not in (series_uid(one), derived_uid(other, "dimensions"))


def test_tracking_uid_depends_on_series_map_and_number() -> None:
    uids = {tracking_uid("1.2", "aa", 1), tracking_uid("1.3", "aa", 1), tracking_uid("1.2", "bb", 1)}
    assert len(uids | {tracking_uid("1.2", "aa", 2)}) == 4
