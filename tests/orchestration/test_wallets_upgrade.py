"""A store of an older shape: its wallets' book is the same after the upgrade."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from ops_stores import rows, store_url
from postgres_server import postgres_server
from sqlalchemy import create_engine, text

from orchestration.ops import store as ops_store
from orchestration.ops.store import open_store, writing
from orchestration.ops.tables import wallet_checkpoint, wallet_entry, wallet_posting

POSTING = """
    insert into wallet_posting (posting_id, period, revision, is_removed, line_id, kind, wallet_id,
        at, amount, part, stated, member_key, home_wallet_id)
    values (:line, '2026-10', 1, false, :line, 'use', 'company', '2026-10-05T09:00:00.000000Z',
        '-5', '5', '5', 'm|1', :home)
"""
ENTRY = """
    insert into wallet_entry (id, wallet_id, kind, amount, effective_at, idem_key, recorded_at)
    values ('g', 'team', 'grant', '40', '2026-10-01T00:00:00.000000Z', 'g',
        '2026-10-01T00:00:00.000000Z')
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield store_url(tmp_path)
    else:
        with postgres_server() as found:
            yield found


def test_postings_get_the_chain_of_their_line_and_entries_stay(url: str) -> None:
    old = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(ops_store._MIGRATIONS))
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
    with old.begin() as connection:
        connection.execute(text(ENTRY))
        for line, home in (
            ("use|2026-10-05T09:00|team>company|m|1", "team"),
            ("correction|2026-09|2026-10-01T00:00|company|m|1", "company"),
            ("expiry|g", None),
        ):
            connection.execute(text(POSTING), {"line": line, "home": home})
        connection.execute(text("insert into wallet_checkpoint values ('2026-09', '{}')"))
    old.dispose()

    engine = open_store(url)
    assert [(row["line_id"][:3], row["chain"]) for row in rows(engine, wallet_posting)] == [
        ("cor", "company"),
        ("exp", None),
        ("use", "team>company"),
    ]
    # What has a chain is mirrored again.
    assert [row["revision"] for row in rows(engine, wallet_posting)] == [2, 1, 2]
    assert [row["amount"] for row in rows(engine, wallet_entry)] == [40]
    assert rows(engine, wallet_checkpoint) == []
    with pytest.raises(Exception, match="append-only"), writing(engine) as connection:
        connection.execute(text("delete from wallet_entry"))
    engine.dispose()
