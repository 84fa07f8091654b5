"""Figures in the text format of Prometheus: of the ledger when asked, of requests as they come."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.security.roles import NOWHERE, TOLD
from scheduler import services

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from scheduler.services.context import Context
    from scheduler.services.health import Figures

SHED = 503  # told by `skytrunk_request_seconds`: a burst of them is no burst of lines
ID_HEADER = b"x-request-id"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = structlog.get_logger("skytrunk.requests")

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
    bookings = {(state,): count for state, count in found.bookings.items()}
    yield _gauge("skytrunk_bookings", "Bookings by state.", ("state",), bookings)
    key = {(pool, name): n for pool, each in found.key_bits.items() for name, n in each.items()}
    yield _gauge("skytrunk_key_bits", "Key by pool and account.", ("pool", "account"), key)
    words = "The last jobs by work and state."
    yield _gauge("skytrunk_jobs", words, ("work", "state"), found.jobs)
    for name, text, label, figures in (
        ("job_lateness_seconds", "How late the last job of a work began.", "work", found.late_s),
        ("passes", "Passes of the plan in force.", "what", found.passes),
        ("runway_seconds", "Until a pair runs dry at today's rate.", "pool", found.runway_s),
        ("element_age_seconds", "Age of the newest set.", "satellite", found.element_age_s),
        ("alerts", "The last alerts by kind.", "kind", found.alerts),
    ):
        labelled = {(key,): figure for key, figure in figures.items()}
        yield _gauge(f"skytrunk_{name}", text, (label,), labelled)
    for name, text, value in (
        ("merge_lag_seconds", "Time since the newest merge.", found.merge_lag_s),
        ("solver_gap", "Share by which the plan in force may miss the best.", found.solver_gap),
    ):
        if value is not None:
            yield GaugeMetricFamily(f"skytrunk_{name}", text, value=value)


def _gauge(
    name: str, text: str, labels: tuple[str, ...], figures: Mapping[Any, float]
) -> GaugeMetricFamily:
    """A figure for each set of labels."""
    made = GaugeMetricFamily(name, text, labels=labels)
    for key, figure in figures.items():
        made.add_metric([str(one) for one in key], figure)
    return made


class Timed:
    """Counts how long each answer took, by the route that gave it, and names each request.

    Its id stands in every line that is logged meanwhile, and in the answer's `X-Request-Id`; the
    client's own is kept if it is a plain one.
    """

    def __init__(self, app: ASGIApp, latency: Histogram) -> None:
        self._app = app
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _id_of(scope)
        begun_s, status = time.perf_counter(), 0
        decided: list[str] = []

        async def send_counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (ID_HEADER, request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app({**scope, TOLD: decided}, receive, send_counting)
            if status >= 500 and status != SHED:
                log.warning("answered", status=status, route=decided[0] if decided else NOWHERE)
        # The route, never the path: a caller must not choose how many labels there are.
        name = decided[0] if decided else NOWHERE
        self._latency.labels(name, str(status)).observe(time.perf_counter() - begun_s)


def _id_of(scope: Scope) -> str:
    said = next((value for name, value in scope["headers"] if name == ID_HEADER), b"")
    text: str = said.decode("latin-1")
    return text if _PLAIN.fullmatch(text) else uuid4().hex[:16]
