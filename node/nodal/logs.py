"""Structured logs on stderr, one JSON line each; they carry a job's id and never a patient's name or id."""

from __future__ import annotations

import logging
import sys

import pydicom
import structlog

__all__ = ["log_to_stderr"]


def log_to_stderr(level: int = logging.INFO) -> None:
    """Sends structlog to stderr and quietens the libraries that would log data sets."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # pydicom would quote a malformed value in a warning, and a name is such a value; what matters is checked where used
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    for name in ("pynetdicom", "pydicom", "highdicom", "httpx", "dbos"):
        logging.getLogger(name).setLevel(logging.ERROR)
