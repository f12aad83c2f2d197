"""A configuration of a room, read once from YAML into its frozen tree."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from lymphoma.errors import ConfigInvalid

__all__ = ["read_tree"]

T = TypeVar("T")


def read_tree(reader: TypeAdapter[T], file: Path) -> T:
    """Reads a YAML file; an empty one gives the defaults.

    Raises:
        ConfigInvalid: ``CONFIG_INVALID``, naming what is unknown or out of range.
    """
    try:
        return reader.validate_python(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (OSError, yaml.YAMLError) as fault:
        raise ConfigInvalid("CONFIG_INVALID", f"{file.name} cannot be read as YAML") from fault
    except ValidationError as fault:
        said = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in fault.errors())
        raise ConfigInvalid("CONFIG_INVALID", f"{file.name}: {said}") from fault
