"""After how long a PostgreSQL server that says nothing counts as gone."""

from scheduler.ledger.db.engine import LIVENESS, SERVER_LIVENESS, make_engine

URL = "postgresql://somebody@db.example/ledger"


def test_a_connection_asks_whether_its_server_is_there_and_the_server_its_client() -> None:
    engine = make_engine(URL)
    try:
        assert {name: engine.url.query[name] for name in LIVENESS} == LIVENESS
        assert engine.url.query["options"] == SERVER_LIVENESS
    finally:
        engine.dispose()


def test_what_a_url_says_itself_counts() -> None:
    engine = make_engine(f"{URL}?keepalives_idle=60")
    try:
        assert engine.url.query["keepalives_idle"] == "60"
        assert engine.url.query["keepalives_count"] == LIVENESS["keepalives_count"]
    finally:
        engine.dispose()
