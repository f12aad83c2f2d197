"""Fixtures shared by all tests: where the real scans lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from nodal import logs
from nodal.dicom.write import WrittenStudy

from tests.virtual import small_virtual_study

ROOT = Path(__file__).resolve().parent.parent


def _real_data() -> Path | None:
    named = os.environ.get("NODAL_TEST_DATA")
    if named:
        folder = Path(named).resolve()
        if not (folder / "README.md").is_file():
            raise pytest.UsageError(f"NODAL_TEST_DATA={named} holds no README.md: the real scans are not there")
        return folder
    for parent in (ROOT, ROOT.parent, ROOT.parent.parent):
        if (parent / "shared/data/README.md").is_file():
            return parent / "shared/data"
    return None


def _nnunet() -> Path | None:
    named = os.environ.get("NODAL_NNUNET")
    if not named:
        return None
    program = Path(named).resolve()
    if not os.access(program, os.X_OK) or program.is_dir():
        raise pytest.UsageError(f"NODAL_NNUNET={named} is no program")
    return program


REAL_DATA = _real_data()
NNUNET = _nnunet()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans and reference objects made by others; without it the test is passed over."""
    if REAL_DATA is None:
        pytest.skip("real data not tested: set NODAL_TEST_DATA")
    return REAL_DATA


@pytest.fixture(scope="session")
def nnunet_program() -> Path:
    """nnU-Net's own program in an environment of its own; without it what the real one does is passed over."""
    if NNUNET is None:
        pytest.skip("nnU-Net's own program not tested: set NODAL_NNUNET")
    return NNUNET


@pytest.fixture(scope="session", autouse=True)
def _logs_of_the_tests_stay() -> Iterator[None]:
    """A command sets up the logs of its whole process; called inside a test it shares one with every other test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "log_to_stderr", lambda: None)
        yield


@pytest.fixture(autouse=True)
def _logs_are_put_back() -> Iterator[None]:
    """A command of the science sets up the logs of its process too, for a stream that is closed after its test."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def virtual_study(tmp_path_factory: pytest.TempPathFactory) -> WrittenStudy:
    """A small whole-body virtual study with three lesions, written once; a test that edits it makes its own."""
    return small_virtual_study(tmp_path_factory.mktemp("virtual"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if REAL_DATA is None:
        terminalreporter.write_line("real data not tested: set NODAL_TEST_DATA to a folder with the reference scans")
    if NNUNET is None:
        terminalreporter.write_line("nnU-Net not tested: set NODAL_NNUNET to its nnUNetv2_predict_from_modelfolder")
