"""Sixteen customers at two servers, and servers that are killed: no key twice, none unequal."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from scheduler import services
from scheduler.clock import SimulatedClock, SystemClock
from scheduler.services import delivery
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.kme import customer
from tests.api.kme.conftest import ring_context
from tests.scheduler.ledger.postgres import Postgres

pytestmark = pytest.mark.faults

FULL = os.environ.get("SKYTRUNK_BENCH_DELIVERIES")
"""Keys delivered in all; a few hundred where nobody says."""
CUSTOMERS = 16
NUMBER = 5
ROOT = Path(__file__).resolve().parents[2]
KILLS = 20 if FULL else 3
TURNS = int(FULL) // (CUSTOMERS * NUMBER) if FULL else 6


class Servers:
    """Server processes on one listening socket, which outlives each of them."""

    def __init__(self, folder: Path, count: int, *more: str) -> None:
        self._folder = folder
        self._more = more
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self.running = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        fd = self.listener.fileno()
        words = [
            sys.executable,
            "-m",
            "tests.api.kme.server",
            str(self._folder),
            str(fd),
            *self._more,
        ]
        with (self._folder / "server.log").open("ab") as log:
            return subprocess.Popen(words, cwd=ROOT, pass_fds=[fd], stdout=log, stderr=log)

    def kill_one(self, chance: random.Random) -> None:
        """Kill one at any moment, and start another."""
        place = chance.randrange(len(self.running))
        self.running[place].kill()
        self.running[place].wait()
        self.running[place] = self._start()

    def stop(self) -> None:
        for one in self.running:
            one.terminate()
        for one in self.running:
            one.wait(timeout=60)
        self.listener.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of the ledger that all servers share."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    monkeypatch.setenv("SKYTRUNK_KEK", os.urandom(32).hex())
    monkeypatch.setenv("SKYTRUNK_KEY_FOLDER", str(tmp_path / "keys"))
    server = Postgres()
    try:
        url = server.create("ring")
        monkeypatch.setenv("SKYTRUNK_DATABASE_URL", url)
        yield url
    finally:
        server.stop()


@contextmanager
def served(folder: Path, count: int, url: str) -> Iterator[Servers]:
    with ring_context(folder, bits=int(FULL or 2000) * 1024, database_url=url):
        pass
    servers = Servers(folder, count)
    try:
        yield servers
    finally:
        servers.stop()


def deliveries(servers: Servers, *, kills: int) -> list[str]:
    """Every line that the customers said, servers killed in between at random moments."""
    words = [sys.executable, str(customer.__file__), str(servers.port), str(TURNS), str(NUMBER)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(CUSTOMERS)]
    said: list[str] = []
    more = threading.Condition()

    def listen(one: subprocess.Popen[str]) -> None:
        assert one.stdout is not None
        with one.stdout as lines:
            for line in lines:
                with more:
                    said.append(line)
                    more.notify_all()

    listeners = [threading.Thread(target=listen, args=(one,)) for one in running]
    for one in listeners:
        one.start()
    chance, total = random.Random(16), TURNS * CUSTOMERS
    moments = sorted(chance.randrange(total // 10, total * 9 // 10) for _ in range(kills))
    try:
        for moment in moments:
            with more:
                assert more.wait_for(lambda moment=moment: len(said) >= moment, timeout=600)
            servers.kill_one(chance)
        for listener, process in zip(listeners, running, strict=True):
            listener.join(timeout=1800)
            assert process.wait(timeout=60) == 0
    finally:
        for process in running:
            process.kill()
    return [line.strip() for line in said]


def check(folder: Path, said: list[str], url: str) -> Counter[str]:
    """Nothing bad, nothing twice, nothing wrongly lost; the ledger is sound.

    Every key that was drawn is one that both ends have, or one in doubt and void: of an answer
    that nobody knows to have left.
    """
    counts = Counter(line.partition(" ")[0] for line in said)
    assert not [line for line in said if line.startswith("bad")]
    assert len(said) == TURNS * CUSTOMERS
    words = [word for line in said if line.startswith("ok") for word in line.split()[1:]]
    assert len(words) == len(set(words)) == 2 * NUMBER * counts["ok"]
    settings = load_settings(database_url=url, scenario=str(folder / "ring.toml"))
    later = SystemClock().now() + timedelta(minutes=30)
    with Context(settings, clock=SimulatedClock(later)) as context:
        services.doubt_overdue(context)
        assert services.verify_ledger(context).problems == ()
        doubted = {str(one.key_id) for one in delivery.doubted_keys(context) if one.voided}
        with context.view.read() as reader:
            drawn = set(reader.connection.execute(text('SELECT key_id FROM "key"')).scalars())
    ids = {word for word in words if "-" in word}
    assert drawn == ids | doubted
    assert not ids & doubted
    void = {word for line in said if line.startswith("void") for word in line.split()[1:]}
    assert void <= doubted
    return counts


def test_many_customers_at_two_servers_share_no_key(tmp_path: Path, store: str) -> None:
    with served(tmp_path, 2, store) as servers:
        said = deliveries(servers, kills=0)
    counts = check(tmp_path, said, store)
    assert counts == {"ok": TURNS * CUSTOMERS}


def test_servers_that_are_killed_give_no_key_twice(tmp_path: Path, store: str) -> None:
    with served(tmp_path, 2, store) as servers:
        said = deliveries(servers, kills=KILLS)
    counts = check(tmp_path, said, store)
    assert counts["short"] == 0
    # A kill harms no more than what each customer had under way at that moment.
    assert counts["lost"] + counts["void"] <= KILLS * CUSTOMERS
