"""Requests for keys that come at once: drawn together, each answered for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.kme import build_app
from scheduler import services
from scheduler.domain import KeyConstraints
from scheduler.services import delivery
from scheduler.services.context import Context
from scheduler.services.merges.at_request import merge_for
from scheduler.settings import load_settings
from tests.api.kme.conftest import CALLER, peer_of, ring_context
from tests.api.kme.inside import InsideClient
from tests.scheduler.services.ring import PAIR


def at_once(client: InsideClient, every: Sequence[tuple[str, str, dict[str, Any]]]) -> Any:
    """Answers to (caller, other side, body), all sent before any of them is answered."""

    async def ask() -> list[httpx.Response]:
        return await asyncio.gather(
            *(
                client._client.post(
                    f"/api/v1/keys/{other}/enc_keys", json=body, headers={CALLER: caller}
                )
                for caller, other, body in every
            )
        )

    return client._run(ask())


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests each transaction served."""
    sizes: list[int] = []
    draw = delivery.draw_of_stock

    def counted(context: Context, every: Sequence[delivery.Asked]) -> Any:
        sizes.append(len(every))
        return draw(context, every)

    monkeypatch.setattr(delivery, "draw_of_stock", counted)
    return sizes


def test_who_comes_at_once_shares_a_transaction_and_no_key(
    context: Context, client: InsideClient, groups: list[int]
) -> None:
    wanted = [("bank-e", "bank-w", {"number": 2}), ("bank-w", "bank-e", {"size": 512})] * 10
    merge_for(context, PAIR, 40_000, constraints=KeyConstraints(), at=context.clock.now())

    answers = at_once(client, wanted)

    assert [one.status_code for one in answers] == [200] * 20
    keys = [key["key"] for one in answers for key in one.json()["keys"]]
    assert len(set(keys)) == len(keys) == 30
    assert len(groups) < 10
    assert services.verify_ledger(context).problems == ()


def test_each_is_refused_for_itself(client: InsideClient) -> None:
    wanted: list[tuple[str, str, dict[str, Any]]] = [
        ("bank-e", "bank-w", {}),
        ("nobody", "bank-w", {}),
        ("bank-e", "nobody", {}),
        ("bank-e", "desk-e", {}),
        ("bank-e", "bank-w", {"size": 9}),
        ("bank-e", "bank-w", {}),
    ]

    answers = at_once(client, wanted)

    assert [one.status_code for one in answers] == [200, 401, 400, 400, 400, 200]


def test_who_asks_too_much_leaves_the_others_theirs(tmp_path: Path) -> None:
    with (
        ring_context(tmp_path, bits=16_384) as context,
        InsideClient(build_app(context, peer_of=peer_of)) as client,
    ):
        answers = at_once(client, [("bank-e", "bank-w", {"number": 128})] * 2 + [
            ("bank-e", "bank-w", {})
        ] * 6)  # fmt: skip

        assert [one.status_code for one in answers] == [503, 503] + [200] * 6
        assert answers[0].json()["details"][0]["available"].isdigit()
        keys = [key["key"] for one in answers[2:] for key in one.json()["keys"]]
        assert len(set(keys)) == 6
        assert services.verify_ledger(context).problems == ()


def test_without_a_ledger_everybody_is_told_so(tmp_path: Path) -> None:
    with ring_context(tmp_path):
        pass
    settings = load_settings(
        database_url=f"sqlite:///{tmp_path / 'nowhere.db'}", scenario=str(tmp_path / "ring.toml")
    )
    with Context(settings) as context, InsideClient(build_app(context, peer_of=peer_of)) as client:
        for count in (1, 3, 1):
            answers = at_once(client, [("bank-e", "bank-w", {})] * count)

            assert [one.status_code for one in answers] == [503] * count
            assert "nowhere" not in answers[0].text
