"""The docs are true: their examples run, their lists are whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from nodal.errors import Code
from nodal.settings import Settings, load_settings
from pydantic import BaseModel

from tests.conftest import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, info: str) -> list[str]:
    return [match["text"] for match in BLOCK.finditer(page.read_text(encoding="utf-8")) if match["info"] == info]


@pytest.mark.e2e
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "bash test")], ids=lambda page: page.name)
def test_commands_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in blocks(page, "bash test"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.unit
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml settings")], ids=lambda page: page.name)
def test_settings_of_a_page_are_valid(page: Path, tmp_path: Path) -> None:
    for number, text in enumerate(blocks(page, "yaml settings")):
        values = yaml.safe_load(text)
        if values.get("listener", {}).get("host") == "0.0.0.0":
            assert values["listener"]["allowed_callers"], "an open listener in the docs names its callers"
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        load_settings(file)


@pytest.mark.unit
def test_every_code_is_explained() -> None:
    listed = re.findall(r"^\| `([A-Z0-9_]+)` \| \S", (ROOT / "docs/reference/codes.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(Code)


def settings_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        kinds = getattr(field.annotation, "__args__", (field.annotation,))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        keys += settings_keys(inner, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return keys


@pytest.mark.unit
def test_every_setting_is_listed() -> None:
    listed = re.findall(r"^\| `([a-z0-9_.]+)` \| \S", (ROOT / "docs/reference/settings.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(settings_keys(Settings))


@pytest.mark.unit
def test_the_shipped_settings_are_the_defaults() -> None:
    shipped = load_settings(ROOT / "config/node.yaml").model_dump(exclude={"orthanc"})
    assert shipped == load_settings().model_dump(exclude={"orthanc"})


@pytest.mark.unit
def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "README.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
