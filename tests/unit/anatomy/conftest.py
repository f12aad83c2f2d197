"""What all tests of the anatomy share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_stay() -> Iterator[None]:
    """A command sets up the logs of its process, for a stream that is closed when its test is over."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
