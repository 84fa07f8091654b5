"""`skytrunk serve` and `skytrunk run`: the two commands that stay until they are stopped."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from typing import Annotated

import typer

from api.cli.options import Line, common
from api.cli.output import note
from api.inputs import parse_instant_or_none
from scheduler.errors import InputError
from scheduler.process import freeze_gc

RATE_MAX = 1e6  # simulated seconds a second; beyond it one tick spans days


@common
def serve(
    line: Line,
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (8014).")] = None,
) -> None:
    """Answer over HTTP until stopped; the API describes itself at /docs."""
    settings = line.settings(host=host, port=port)
    stopping = threading.Event()
    _when_stopped(stopping.set)
    from scheduler.services.context import Context

    with Context(settings) as context:
        context.refuse_other_scenario()
    import uvicorn

    from api.app import create_app

    with _listen(settings.host, settings.port) as listener:
        note(f"listening on http://{settings.host}:{settings.port} (API at /docs), Ctrl-C stops")
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
        freeze_gc()

        def stop_now() -> None:
            server.should_exit = True

        _when_stopped(stop_now)
        if not stopping.is_set():
            server.run(sockets=[listener])


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
    clock_start: Annotated[
        str | None,
        typer.Option(metavar="T", help="Start the clock at T (default: now)."),
    ] = None,
    clock_rate: Annotated[
        float, typer.Option(metavar="N", help="Simulated seconds a second.")
    ] = 1.0,
) -> None:
    """Run the scheduled jobs (plan, sessions, spans, merges) until stopped."""
    if not 0.0 < clock_rate <= RATE_MAX:
        raise InputError(f"clock-rate {clock_rate}; allowed: above 0, up to {RATE_MAX:g}")
    start = parse_instant_or_none(clock_start, "clock-start")
    settings = line.settings()
    stop = threading.Event()
    _when_stopped(stop.set)
    from scheduler.jobs import run_forever

    run_forever(settings, clock_start=start, clock_rate=clock_rate, stop=stop)
