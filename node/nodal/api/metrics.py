"""The node in numbers, for Prometheus."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from nodal import __version__
from nodal.api.service import NodeApi
from nodal.jobs.model import Stage

__all__ = ["NodeMetrics"]


class NodeMetrics(Collector):
    """Counted from the node's own records when they are asked for, so that a restart loses nothing."""

    def __init__(self, service: NodeApi, state_dir: Path) -> None:
        self._service = service
        self._state_dir = state_dir
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self._registry)

    def describe(self) -> Iterator[Metric]:
        """Nothing is read before the first scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All jobs by state; of the latest ones intakes, deliveries, faults and seconds by stage; free disk."""
        yield InfoMetricFamily("nodal", "The node.", value={"version": __version__})
        states = GaugeMetricFamily("nodal_jobs", "Jobs by state.", labels=("state",))
        for state, count in sorted(self._service.health().jobs.items()):
            states.add_metric((state,), count)
        yield states
        jobs = self._service.jobs()
        intakes = ((intake.state,) for intake in self._service.intakes())
        yield _counted("nodal_intakes", "Announced studies by state.", ("state",), intakes)
        sent = ((delivery.destination, delivery.state) for job in jobs for delivery in job.deliveries)
        yield _counted("nodal_deliveries", "Result objects by destination.", ("destination", "state"), sent)
        refused = ((job.code,) for job in jobs if job.code and job.state in ("refused", "failed"))
        yield _counted("nodal_faults", "Refused and failed jobs by code.", ("code",), refused)
        seconds = SummaryMetricFamily("nodal_stage_seconds", "Wall time of finished stages.", labels=("stage",))
        for stage in Stage:
            took = [job.stage_seconds[stage] for job in jobs if stage in job.stage_seconds]
            seconds.add_metric((stage,), count_value=len(took), sum_value=sum(took))
        yield seconds
        free = shutil.disk_usage(self._state_dir).free if self._state_dir.exists() else 0
        yield GaugeMetricFamily("nodal_disk_free_bytes", "Free disk space under the state folder.", value=free)


def _counted(name: str, text: str, labels: tuple[str, ...], seen: Iterable[tuple[str, ...]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, count in sorted(Counter(seen).items()):
        family.add_metric(values, count)
    return family
