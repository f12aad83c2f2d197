"""Commands by which a site recalibrates, accepts and combines prognosis bundles."""

from __future__ import annotations

__all__: list[str] = []
