"""Workers on hosts of their own, and the network between them and the database cut."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.hosts import Relay, hosts, socket_of
from tests.faults.test_cluster import Cluster, _check, _dues, _wait_for, cluster

__all__ = ["cluster"]

pytestmark = pytest.mark.faults
FIRST, ALL, MORE = 20, 80, 20


@pytest.fixture
def relay(cluster: Cluster) -> Iterator[Relay]:
    made = Relay(socket_of(cluster.settings.database_url))
    yield made
    made.close()


def _database(cluster: Cluster) -> str:
    return cluster.settings.database_url.partition("?")[0].rpartition("/")[2]


def test_a_worker_that_was_cut_off_goes_on_when_it_is_reached_again(
    cluster: Cluster, relay: Relay
) -> None:
    cluster.defer(_dues(ALL))
    name = _database(cluster)
    near = cluster.environment
    cluster.environment = near | {
        "SKYTRUNK_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{relay.port}/{name}"
    }
    cluster.start("worker", "--processes", "1")
    _wait_for(cluster.settings, FIRST)
    relay.cut()
    cluster.environment = near
    other = cluster.start("worker")
    # What the first one was at is taken over once its lease is over.
    _wait_for(cluster.settings, ALL)
    cluster.kill(other)
    relay.mend()
    cluster.defer(_dues(ALL + MORE)[ALL:])
    _wait_for(cluster.settings, ALL + MORE)
    cluster.stop()

    _check(cluster.settings, ALL + MORE)


def test_workers_on_two_hosts_share_the_work_and_outlive_a_pulled_cable(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.defer(_dues(ALL))
    name = _database(cluster)
    try:
        opened = hosts(socket_of(cluster.settings.database_url), ("one", "two"))
        made = opened.__enter__()
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', error)!r}")
    try:

        def start(host: str) -> None:
            url = made.url(host, name)
            cluster.environment = cluster.environment | {"SKYTRUNK_DATABASE_URL": url}
            cluster.start_with(made.words(host), "worker", "--processes", "1")

        start("one")
        start("two")
        _wait_for(cluster.settings, FIRST)
        made.cable("one", "down")
        _wait_for(cluster.settings, ALL)
        made.cable("two", "down")
        made.cable("one", "up")
        cluster.defer(_dues(ALL + MORE)[ALL:])
        _wait_for(cluster.settings, ALL + MORE)
        made.cable("two", "up")
        cluster.stop()
    finally:
        opened.__exit__(None, None, None)

    _check(cluster.settings, ALL + MORE)
