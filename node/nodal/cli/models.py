"""Commands that train, judge, recalibrate, accept and combine prognosis bundles."""

from __future__ import annotations

__all__: list[str] = []
