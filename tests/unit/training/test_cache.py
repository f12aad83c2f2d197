"""The cache of prepared cases: made once, keyed by all that matters, bounded, whole under several processes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training import cache as cache_module
from lymphoma.training import consensus
from lymphoma.training.cache import CachedCases, DiskCache, Entry, code_digest, config_digest
from lymphoma.training.case import Case, Outcome, Subject

pytestmark = pytest.mark.unit

LARGE = 10**9


def entry(value: int, voxels: int = 1000) -> Entry:
    return Entry({"suv": np.full(voxels, value, np.float32)}, f"note {value}")


class Maker:
    """Makes entries and counts how often."""

    def __init__(self, value: int = 0, voxels: int = 1000) -> None:
        self.value, self.voxels, self.calls = value, voxels, 0

    def __call__(self) -> Entry:
        self.calls += 1
        return entry(self.value, self.voxels)


def test_made_once_then_read(tmp_path: Path) -> None:
    cache, make = DiskCache(tmp_path / "c", LARGE), Maker(7)
    first, second = cache.get("a", make), cache.get("a", make)
    assert make.calls == 1
    assert np.array_equal(first.arrays["suv"], second.arrays["suv"])
    assert second.arrays["suv"].dtype == np.float32
    assert second.note == "note 7"
    second.arrays["suv"][:] = 0  # the caller's own
    assert cache.get("a", make).arrays["suv"][0] == 7


@pytest.mark.parametrize("fault", ["truncated", "flipped", "foreign", "empty"])
def test_a_damaged_file_is_made_again(tmp_path: Path, fault: str) -> None:
    cache, make = DiskCache(tmp_path, LARGE), Maker(7)
    cache.get("a", make)
    path = tmp_path / "a.safetensors"
    data = bytearray(path.read_bytes())
    if fault == "flipped":
        data[-1] ^= 1
    path.write_bytes({"truncated": data[:-5], "flipped": data, "foreign": b"not tensors" * 9, "empty": b""}[fault])
    assert cache.get("a", make).arrays["suv"].tolist() == [7.0] * 1000
    assert make.calls == 2
    cache.get("a", make)
    assert make.calls == 2


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    one = len(cache_module._encoded(entry(0)))
    cache = DiskCache(tmp_path, 3 * one)
    for age, key in enumerate("abc"):
        cache.get(key, Maker())
        os.utime(tmp_path / f"{key}.safetensors", ns=(age, age))
    cache.get("a", Maker())  # used again, so b is now the oldest
    cache.get("d", Maker())
    assert sorted(path.stem for path in tmp_path.glob("*.safetensors")) == ["a", "c", "d"]
    assert cache.size_bytes() <= 3 * one


def test_an_entry_larger_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    cache, make = DiskCache(tmp_path, 100), Maker(1)
    assert cache.get("a", make).arrays["suv"][0] == 1
    assert cache.size_bytes() == 0


def test_a_full_disk_keeps_nothing_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(cache_module, "_write_whole", full)
    assert DiskCache(tmp_path, LARGE).get("a", Maker(4)).arrays["suv"][0] == 4


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(errno.EIO, "io")))
    DiskCache(tmp_path, LARGE).get("a", Maker())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock"]


def test_what_a_killed_process_left_is_swept_up(tmp_path: Path) -> None:
    old, fresh = tmp_path / "dead.part", tmp_path / "alive.part"
    old.write_bytes(b"half"), fresh.write_bytes(b"half")
    os.utime(old, (0, 0))
    DiskCache(tmp_path, LARGE).get("a", Maker())
    assert not old.exists()
    assert fresh.exists()


_WORK = """
import sys, numpy as np
from pathlib import Path
from lymphoma.training.cache import DiskCache, Entry
cache = DiskCache(Path(sys.argv[1]), int(sys.argv[2]))
order = np.random.default_rng(int(sys.argv[3])).integers(0, 6, 120)
for value in order.tolist():
    got = cache.get(f"k{value}", lambda value=value: Entry({"x": np.full(5000, value, np.int32)}))
    assert (got.arrays["x"] == value).all()
"""


def test_two_processes_share_a_folder_too_small_for_them(tmp_path: Path) -> None:
    limit = 3 * 20_200  # three of six entries fit
    jobs = [subprocess.Popen([sys.executable, "-c", _WORK, str(tmp_path), str(limit), str(n)]) for n in range(2)]
    assert [job.wait(60) for job in jobs] == [0, 0]
    assert DiskCache(tmp_path, limit).size_bytes() <= limit
    assert not list(tmp_path.glob("*.part"))


# -- cases --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Halved:
    """A preparation: every second slice."""

    step: int = 2
    code_digest: str = "1"

    @property
    def config_digest(self) -> str:
        return config_digest(Options(self.step))

    def __call__(self, case: Case) -> Case:
        half = [Volume(v.array[:: self.step].copy(), v.affine) for v in (case.suv, case.ct_hu)]
        return replace(case, suv=half[0], ct_hu=half[1])


@dataclass(frozen=True)
class Options:
    step: int


class Patients:
    """A cohort of arrays; counts what is loaded."""

    name, virtual = "made up", True

    def __init__(self, *, bare: bool = False) -> None:
        self.bare, self.loads = bare, 0

    @property
    def subjects(self) -> Sequence[Subject]:
        return (subject(),)

    def load(self, subject: Subject) -> Case:
        self.loads += 1
        affine = np.diag([4.0, 4.0, 4.0, 1.0])
        grid = Volume(np.arange(64, dtype=np.float32).reshape(4, 4, 4), affine)
        if self.bare:
            return Case(subject, grid, grid, None, Anatomy("none"))
        labels = grid.with_array((grid.array > 60).astype(np.uint16))
        return Case(subject, grid, grid, labels, Anatomy("given", labels, {1: "liver"}))


def subject(content: str = "abc", months: float = 3.0) -> Subject:
    return Subject("P1", "A", ClinicalFactors(), Outcome(months, True), None, content)


def test_a_case_comes_back_as_it_was_prepared(tmp_path: Path) -> None:
    patients = Patients()
    cases = CachedCases(patients, Halved(), DiskCache(tmp_path, LARGE))
    first, second = cases.load(subject()), cases.load(subject(months=9.0))
    assert patients.loads == 1
    assert second.suv.array.shape == (2, 4, 4)
    assert np.array_equal(second.suv.array, first.suv.array)
    assert np.array_equal(second.suv.affine, np.diag([4.0, 4.0, 4.0, 1.0]))
    assert second.lesions is not None
    assert second.lesions.array.dtype == np.uint16
    assert second.anatomy.mask("liver").sum() == 3
    assert second.subject.pfs == Outcome(9.0, True)  # outcomes are never taken from the cache


def test_what_is_unknown_stays_unknown(tmp_path: Path) -> None:
    cases = CachedCases(Patients(bare=True), Halved(), DiskCache(tmp_path, LARGE))
    for _ in range(2):
        case = cases.load(subject())
        assert case.lesions is None
        assert case.anatomy.organs is None
        assert case.anatomy.engine == "none"


def test_content_configuration_and_code_each_make_another_entry(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, LARGE)
    keys = {
        CachedCases(Patients(), preparation, disk).key(subject(content))
        for preparation in (Halved(), Halved(step=3), Halved(code_digest="2"))
        for content in ("abc", "abd")
    }
    assert len(keys) == 6
    assert CachedCases(Patients(), Halved(), disk).key(subject(months=9.0)) in keys


def test_digests_of_configuration_and_code() -> None:
    assert config_digest(Options(1)) == config_digest(Options(1)) != config_digest(Options(2))
    assert code_digest(consensus) == code_digest(consensus) != code_digest(cache_module)
    with pytest.raises(TypeError):
        config_digest({"step": 1})
