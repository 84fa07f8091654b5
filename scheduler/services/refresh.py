"""Use cases: what plans rest on is asked for anew, and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduler.errors import FeedError
from scheduler.ledger.books import forecasts
from scheduler.services.elements import fetch_elements
from scheduler.services.live import numbers_in_orbit
from scheduler.services.weather import OPEN_METEO, weather_in_use
from scheduler.sources.feed import without_secrets
from scheduler.sources.weather import fetch_forecasts

if TYPE_CHECKING:
    from scheduler.services.context import Context

WORDS_MAX = 500


def refresh_elements(context: Context) -> dict[str, Any]:
    """Ask for newer element sets of the satellites in orbit; they are checked before they serve.

    Raises FeedError if every satellite failed; what failed of some is in the answer.
    """
    numbers = numbers_in_orbit(context)
    if not numbers:
        return {"received": 0, "why": "every satellite is down"}
    added = fetch_elements(context, [str(number) for number in numbers])
    context.refresh_elements()
    answer: dict[str, Any] = {"received": len(added.received), "added": added.added}
    if added.quarantined:
        answer["quarantined"] = "; ".join(added.quarantined)[:WORDS_MAX]
    if added.failures:
        answer["failures"] = "; ".join(added.failures)[:WORDS_MAX]
    return answer


def refresh_weather(context: Context) -> dict[str, Any]:
    """Ask for a newer forecast of each station and keep it, for plans from now on.

    Raises FeedError if every station failed; the forecasts of before serve as far as they reach.
    """
    if weather_in_use(context) != OPEN_METEO:
        return {"stations": 0, "why": f"the weather in use is {weather_in_use(context)}"}
    settings, now = context.settings, context.clock.now()
    found, wrong = fetch_forecasts(
        context.scenario.stations,
        issued_at=now,
        days=int(settings.plan_horizon_days) + 2,
        url=settings.weather_url,
    )
    if not found and wrong:
        raise FeedError("; ".join(wrong)[:WORDS_MAX])
    with context.ledger.begin() as tx:
        context.check_scenario(tx)
        source = without_secrets(settings.weather_url)
        added = forecasts.add_forecasts(tx, found, source=source)
    return {"stations": added} | ({"failures": "; ".join(wrong)[:WORDS_MAX]} if wrong else {})
