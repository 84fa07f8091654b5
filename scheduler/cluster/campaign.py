"""Hands for campaigns: processes of this machine, or a Dask cluster here or elsewhere."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from scheduler.campaign import Hands
from scheduler.errors import InputError
from scheduler.process import bare_start, worker_pool

WORKERS_MAX = 256
RETRIES = 3
"""Workers that may die under one replay before Dask gives it up."""
ALLOWED = "local:N, tcp://HOST:PORT or tls://HOST:PORT"


def hands_of(
    cluster: str | None,
    workers: int,
    *,
    ca: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
) -> Hands:
    """Return what opens the hands: `workers` processes, or those of the named Dask cluster.

    Raises InputError for a name that is none, or where Dask is not installed.
    """
    if not 1 <= workers <= WORKERS_MAX:
        raise InputError(f"workers {workers}; allowed: 1 to {WORKERS_MAX}")
    if cluster is None:
        return partial(worker_pool, workers)
    local = re.fullmatch(r"local:(\d{1,3})", cluster)
    remote = re.fullmatch(r"(tcp|tls)://[^/\s]+:\d{1,5}", cluster)
    if not (local and 1 <= int(local[1]) <= WORKERS_MAX) and not remote:
        raise InputError(f"cluster {cluster!r}; allowed: {ALLOWED}")
    files = (ca, certificate, key)
    if (None in files) if cluster.startswith("tls:") else (files != (None, None, None)):
        raise InputError(
            f"cluster {cluster} with CA {ca}, certificate {certificate} and key {key}; allowed: all"
            " three for tls://, else none"
        )
    try:
        import distributed  # noqa: F401  # an extra
    except ModuleNotFoundError:
        raise InputError(
            f"cluster {cluster} without Dask; allowed: where the extra `cluster` is installed"
        ) from None
    return partial(_local, int(local[1])) if local else partial(_remote, cluster, *files)


@contextmanager
def _local(workers: int) -> Iterator[Executor]:
    from distributed import Client, LocalCluster

    # Replays are Python: a process each, and no page of the cluster on a port.
    with bare_start():
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )  # fmt: skip
    with cluster, Client(cluster) as client:
        yield client.get_executor(retries=RETRIES, pure=False)


@contextmanager
def _remote(
    address: str, ca: Path | None, certificate: Path | None, key: Path | None
) -> Iterator[Executor]:
    from distributed import Client, Security

    security = None
    if ca is not None:
        security = Security(
            tls_ca_file=str(ca),
            tls_client_cert=str(certificate),
            tls_client_key=str(key),
            require_encryption=True,
        )
    try:
        client = Client(address, security=security, timeout=10)
    except OSError as error:
        raise InputError(
            f"no Dask scheduler at {address}: {error}; allowed: one that answers"
        ) from None
    with client:
        yield client.get_executor(retries=RETRIES, pure=False)
