"""The tables of a scenario file that say whose satellites and stations are."""

from __future__ import annotations

from scheduler.network.keys import SESSIONS_MAX, TableSchema, text, texts, whole

OPERATORS = TableSchema(
    name="operators",
    meaning=(
        "Who flies which satellites, where several share stations. A session takes a station of"
        " another owner only within a share of it."
    ),
    keys=(
        text("id", "Its name: lower-case letters and digits, parts joined by `-`."),
        text("name", "Its name for people."),
        texts("satellites", "Their satellites; one in no list is everybody's."),
        texts("tokens", "Names of the API tokens that are theirs: such a token sees the sessions of"
              " their satellites and over their stations, and decides on the former alone."),
    ),
)  # fmt: skip

SHARES = TableSchema(
    name="shares",
    meaning="What an operator may have of somebody else's station.",
    keys=(
        text("station", "Its id."),
        text("operator", "Its id."),
        whole("sessions_per_day", "Sessions in one UTC day, by AOS.", 0, SESSIONS_MAX),
    ),
)
