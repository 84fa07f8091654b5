"""Figures in the text format of Prometheus: of the ledger when asked, of requests as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.security.roles import NOWHERE, TOLD
from scheduler import services

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from scheduler.services.context import Context
    from scheduler.services.health import Figures

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """What one server counts of its requests, and tells of its ledger."""

    def __init__(self, context: Callable[[], Context]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self.latency = Histogram(
            "skytrunk_request_seconds",
            "Time from a request to the end of its answer.",
            ("route", "status"),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._registry.register(_OfTheLedger(context))

    def text(self) -> bytes:
        """Return everything in the text format."""
        return generate_latest(self._registry)


class _OfTheLedger(Collector):
    """Reads the ledger whenever somebody asks."""

    def __init__(self, context: Callable[[], Context]) -> None:
        self._context = context

    def describe(self) -> Iterator[Metric]:
        """Name nothing ahead: at registration there is no ledger to read."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Give the figures of this moment."""
        yield from _families(services.figures(self._context()))


def _families(found: Figures) -> Iterator[Metric]:
    bookings = GaugeMetricFamily("skytrunk_bookings", "Bookings by state.", labels=["state"])
    for state, count in found.bookings.items():
        bookings.add_metric([str(state)], count)
    yield bookings
    key = GaugeMetricFamily(
        "skytrunk_key_bits", "Key by pool and account.", labels=["pool", "account"]
    )
    for pool, accounts in found.key_bits.items():
        for account, bits in accounts.items():
            key.add_metric([pool, account], bits)
    yield key
    jobs = GaugeMetricFamily(
        "skytrunk_jobs", "The last jobs by work and state.", labels=["work", "state"]
    )
    for (work, job_state), count in found.jobs.items():
        jobs.add_metric([work, str(job_state)], count)
    yield jobs
    late = GaugeMetricFamily(
        "skytrunk_job_lateness_seconds", "How late the last job of a work began.", labels=["work"]
    )
    for work, late_s in found.late_s.items():
        late.add_metric([work], late_s)
    yield late
    if found.merge_lag_s is not None:
        yield GaugeMetricFamily(
            "skytrunk_merge_lag_seconds", "Time since the newest merge.", value=found.merge_lag_s
        )


class Timed:
    """Counts how long each answer took, by the route that gave it."""

    def __init__(self, app: ASGIApp, latency: Histogram) -> None:
        self._app = app
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s, status = time.perf_counter(), 0
        decided: list[str] = []

        async def send_counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app({**scope, TOLD: decided}, receive, send_counting)
        # The route, never the path: a caller must not choose how many labels there are.
        name = decided[0] if decided else NOWHERE
        self._latency.labels(name, str(status)).observe(time.perf_counter() - begun_s)
