"""`skytrunk serve` and `skytrunk run`: the two commands that stay until they are stopped."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import typer

from api.cli.options import Line, common
from api.cli.output import note
from api.inputs import parse_instant_or_none
from scheduler.errors import InputError
from scheduler.process import freeze_gc

RATE_MAX = 1e6  # simulated seconds a second; beyond it one tick spans days
ClockStartOption = Annotated[
    str | None, typer.Option(metavar="T", help="Start the clock at T (default: now).")
]
ClockRateOption = Annotated[float, typer.Option(metavar="N", help="Simulated seconds a second.")]


@common
def serve(
    line: Line,
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (8014).")] = None,
    clock_start: ClockStartOption = None,
    clock_rate: ClockRateOption = 1.0,
) -> None:
    """Answer over HTTP until stopped: pages at /, the API at /docs."""
    start = _clock_start(clock_start, clock_rate)
    settings = line.settings(host=host, port=port)
    stopping = threading.Event()
    _when_stopped(stopping.set)
    from scheduler.services.context import Context

    with Context(settings) as context:
        context.refuse_other_scenario()
    import uvicorn

    from api.app import create_app
    from scheduler.clock import live_clock

    with _listen(settings.host, settings.port) as listener:
        note(f"listening on http://{settings.host}:{settings.port} (API at /docs), Ctrl-C stops")
        app = create_app(settings, live_clock(start, clock_rate))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        freeze_gc()

        def stop_now() -> None:
            server.should_exit = True

        _when_stopped(stop_now)
        if not stopping.is_set():
            server.run(sockets=[listener])


def _clock_start(start: str | None, rate: float) -> datetime | None:
    """Where the clock starts; None for now. Raises InputError for a rate that is none."""
    if not 0.0 < rate <= RATE_MAX:
        raise InputError(f"clock-rate {rate}; allowed: above 0, up to {RATE_MAX:g}")
    return parse_instant_or_none(start, "clock-start")


def _when_stopped(act: Callable[[], None]) -> None:
    """Call `act` at Ctrl-C or SIGTERM; ask for it before anything that takes long to import.

    Python throws a KeyboardInterrupt away where it falls into the tidying up after an import.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: act())


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, so that a taken port is our error and not a log line."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise InputError(
            f"cannot listen on {host} port {port}: {error.strerror};"
            " allowed: an address of this machine and a free port"
        ) from None
    return listener


@common
def run(
    line: Line,
    clock_start: ClockStartOption = None,
    clock_rate: ClockRateOption = 1.0,
) -> None:
    """Run the scheduled jobs (plan, sessions, spans, merges) until stopped."""
    start = _clock_start(clock_start, clock_rate)
    settings = line.settings()
    stop = threading.Event()
    _when_stopped(stop.set)
    from scheduler.jobs import run_forever

    run_forever(settings, clock_start=start, clock_rate=clock_rate, stop=stop)
