"""The tags of a session's own messages are key spent, and booked so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from qkd import satellite_preset
from scheduler import services
from scheduler.ledger.keys.blocks import get_blocks, get_entries
from scheduler.ledger.reader import get_commands
from scheduler.ledger.states import KeyState
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.settings import Settings

START = datetime(2016, 12, 19, tzinfo=UTC)
PAID = satellite_preset("micius-2016-fitted").authentication


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    url = f"sqlite:///{tmp_path_factory.mktemp('tags') / 'ledger.db'}"
    settings = Settings(scenario="micius-2016", database_url=url)
    run_replay(settings, start=START, end=START + timedelta(days=2), seed=1)
    with Context(settings) as opened:
        yield opened


def test_every_session_with_key_pays_for_its_tags_once(context: Context) -> None:
    with context.view.read() as reader:
        settled = [one.answer for one in get_commands(reader, kind="settle")]
        paid = [one for one in get_entries(reader) if one.enters is KeyState.AUTHENTICATED]
        blocks = {str(one.block_id): one for one in get_blocks(reader)}
    with_key = [one for one in settled if one["secret_bits"]]

    assert with_key
    assert [one.amount_bits for one in paid] == [PAID.bits] * len(with_key)
    assert {str(one.block_id) for one in paid} == {one["block"] for one in with_key}
    assert all(one["authentication_bits"] == PAID.bits for one in with_key)
    for one in with_key:
        block = blocks[one["block"]]
        assert block.length_bits == one["secret_bits"] + PAID.bits
        assert block.next_bit >= PAID.bits  # never handed out again
        assert block.eps_total > PAID.forgery > 0.0
    assert services.verify_ledger(context).ok
