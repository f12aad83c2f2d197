"""The site's key: what an acceptance is signed with, so that a bundle accepted elsewhere is not taken for one's own."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from lymphoma.errors import BundleRefused
from lymphoma.evaluation.acceptance import verify_acceptance
from lymphoma.training.bundle import Bundle

from nodal.errors import Code, Failed

__all__ = ["KEY_NAME", "make_site_key", "read_site_key", "refuse_unsigned"]

KEY_NAME = "acceptance.key"
_BYTES = 32
"""The length of SHA-256, which a key for HMAC needs (RFC 2104, section 3)."""


def read_site_key(state_dir: Path) -> bytes | None:
    """The key; None where no bundle was ever qualified here.

    Raises:
        Failed: SETTINGS_INVALID for a key that others may read, or that is cut short.
    """
    file = state_dir / KEY_NAME
    try:
        with file.open("rb") as stream:
            open_to_others = os.fstat(stream.fileno()).st_mode & 0o077
            key = stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(Code.SETTINGS_INVALID, f"{KEY_NAME} cannot be read: {error.strerror}") from error
    if open_to_others:
        raise Failed(Code.SETTINGS_INVALID, f"{KEY_NAME} may be read by others; chmod 600 it, or qualify bundles anew")
    if len(key) != _BYTES:
        raise Failed(Code.SETTINGS_INVALID, f"{KEY_NAME} does not hold {_BYTES} bytes")
    return key


def make_site_key(state_dir: Path) -> bytes:
    """The key, made on first use and readable by its owner alone."""
    if (key := read_site_key(state_dir)) is not None:
        return key
    state_dir.mkdir(parents=True, exist_ok=True)
    part = state_dir / f".{KEY_NAME}.{secrets.token_hex(4)}"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(secrets.token_bytes(_BYTES))
        stream.flush()
        os.fsync(stream.fileno())
    try:
        # A link fails where another process was first; its key then holds.
        os.link(part, state_dir / KEY_NAME)
    except FileExistsError:
        pass
    finally:
        part.unlink()
    made = read_site_key(state_dir)
    if made is None:
        raise Failed(Code.SETTINGS_INVALID, f"{KEY_NAME} cannot be kept in the state folder")
    return made


def refuse_unsigned(bundle: Bundle, key: bytes | None) -> None:
    """Lets a bundle of level E1 or E2 pass only where its acceptance was signed here; one of level E0 needs none.

    Args:
        key: of :func:`read_site_key`.

    Raises:
        BundleRefused: BUNDLE_NOT_ACCEPTED.
    """
    if bundle.evidence.level == "E0":
        return
    acceptance = bundle.evidence.acceptance
    if acceptance is None or key is None or not verify_acceptance(acceptance, key):
        what = f"the acceptance of {bundle.metadata.name} is not signed by this site's key; run nodal qualify here"
        raise BundleRefused("BUNDLE_NOT_ACCEPTED", what)
