"""From declared wallets and use to the marts that show them: config, models, ledger, mirror."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest
from ops_stores import opened_store
from sqlalchemy import Engine, insert
from staged_warehouse import build
from wallet_road import Road, used

from orchestration.ops.store import writing
from orchestration.ops.tables import period_close

FILES = {
    "entities": """\
entities:
  - {id: acme, type: organisation}
  - {id: team-a, type: team, parent: acme}
  - {id: team-b, type: team, parent: acme}
  - {id: team-c, type: team, parent: acme}
  - id: hedy
    type: user
    parents:
      - {parent: team-c, valid_to_at: 2026-10-20T00:00:00Z}
      - {parent: team-a, valid_from_at: 2026-10-20T00:00:00Z}
""",
    "customers": "customers: [{id: cust-x}]\n",
    "features": "features: [{id: chat}]\n",
    "wallets": """\
wallets:
  - {id: shared, entity: acme, shared: true, valid_from_at: 2026-10-01T00:00:00Z}
  - {id: pot, entity: team-c, shared: true, features: [chat], valid_from_at: 2026-10-01T00:00:00Z}
  - {id: x, entity: cust-x, measure: charged, conversion_rate: 0.5,
     valid_from_at: 2026-10-01T00:00:00Z}
""",
    "wallet_entries": """\
wallet_entries:
  - {id: g1, wallet: shared, kind: grant, amount: 100, priority: 1,
     effective_at: 2026-10-01T00:00:00Z, expires_at: 2026-10-10T00:30:00Z}
  - {id: g2, wallet: shared, kind: grant, amount: 500, effective_at: 2026-10-01T00:00:00Z}
  - {id: p, wallet: pot, kind: grant, amount: 30, effective_at: 2026-10-01T00:00:00Z}
  - {id: c, wallet: x, kind: grant, amount: 10, effective_at: 2026-10-01T00:00:00Z}
""",
}
OCTOBER = [
    used("2026-10-05 09:00", "team-a", "30"),
    used("2026-10-05 09:15", "team-a", "10"),
    # Priced 40, estimated 5; charged 12 for what is sold, 2 of it is not.
    used("2026-10-05 09:30", "team-b", "40", estimated_cost_usd="5", customer_key="cust-x",
         charged_usd="12", uncharged_cost_usd="2"),
    used("2026-10-10 00:15", "team-a", "8"),
    used("2026-10-10 00:30", "team-a", "9"),
    used("2026-10-12 10:00", "team-c", "25", feature_key="chat"),
    used("2026-10-12 10:00", "team-c", "4", feature_key="search"),
    used("2026-10-19 10:00", "hedy", "3", feature_key="chat"),
    used("2026-10-20 00:00", "hedy", "3", feature_key="chat"),
    used("2026-09-30 23:45", "team-a", "1000"),
]  # fmt: skip


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Road, Engine]]:
    folder = tmp_path_factory.mktemp("wallets")
    with opened_store(folder) as engine:
        made = Road(folder, FILES)
        made.walk(engine, 1, datetime(2026, 11, 2, tzinfo=UTC), OCTOBER)
        yield made, engine


BALANCES = """
    select wallet_id, granted_usd, adjusted_usd, used_usd, expired_usd, debt_usd,
        settled_balance_usd, ongoing_balance_usd, ongoing_balance_credits
    from wallets.fct_wallet_balances order by wallet_id
"""
LEDGER = """
    select strftime(occurred_at, '%m-%dT%H:%M'), member_key, posting_kind, grant_id, line_part_usd,
        line_total_usd
    from wallets.fct_wallet_ledger where posting_kind <> 'grant' and wallet_id = '{}'
    order by occurred_at, posting_id
"""
MEMBERS = """
    select member_key, drawn_usd, debt_usd from wallets.fct_wallet_members
    where wallet_id = '{}' order by member_key
"""


def test_the_road_from_use_to_balances(road: tuple[Road, Engine]) -> None:
    found = road[0].read(LEDGER.format("shared"))
    assert found == [
        ("10-05T09:00", "team-a", "use", "g1", 40, 40),
        ("10-05T09:00", "team-b", "use", "g1", 45, 45),
        ("10-10T00:15", "team-a", "use", "g1", 8, 8),
        ("10-10T00:30", None, "expiry", "g1", 7, 7),
        ("10-10T00:30", "team-a", "use", "g2", 9, 9),
        ("10-12T10:00", "team-c", "use", "g2", 4, 4),
        ("10-20T00:00", "hedy", "use", "g2", 3, 3),
    ]
    # The pot is for chat below team-c: Hedy's until she moved. The customer is charged 14, of 10.
    assert road[0].read(LEDGER.format("pot")) == [
        ("10-12T10:00", "team-c", "use", "p", 25, 25),
        ("10-19T10:00", "hedy", "use", "p", 3, 3),
    ]
    assert road[0].read(LEDGER.format("x")) == [
        ("10-05T09:00", "cust-x", "debt", None, 4, 14),
        ("10-05T09:00", "cust-x", "use", "c", 10, 14),
    ]
    assert road[0].read(BALANCES) == [
        ("pot", 30, 0, 28, 0, 0, 0, 2, None),
        ("shared", 600, 0, 109, 7, 0, 0, 484, None),
        ("x", 10, 0, 10, 0, 4, 0, 0, 0.0),
    ]
    assert road[0].read(MEMBERS.format("shared")) == [
        ("hedy", 3, 0),
        ("team-a", 57, 0),
        ("team-b", 45, 0),
        ("team-c", 4, 0),
    ]
    assert road[0].read(MEMBERS.format("x")) == [("cust-x", 10, 4)]


def test_after_the_close_the_marts_keep_october_and_date_what_changed(
    road: tuple[Road, Engine],
) -> None:
    made, engine = road
    before = made.read(LEDGER.format("shared"))
    with writing(engine) as connection:
        connection.execute(
            insert(period_close).values(
                period="2026-10",
                snapshot_id=1,
                closed_at=datetime(2026, 11, 6, tzinfo=UTC),
                by="ada",
                totals_json='{"lines": []}',
                totals_sha256="none",
            )
        )
    late = [{**use, "effective_cost_usd": "24"} if use is OCTOBER[0] else use for use in OCTOBER]
    late += [used("2026-10-06 09:00", "team-b", "5"), used("2026-11-03 09:00", "team-b", "10")]
    made.walk(engine, 2, datetime(2026, 11, 8, tzinfo=UTC), late)
    found = made.read(LEDGER.format("shared"))
    assert found[: len(before)] == before
    credit = "credit|correction|2026-10|2026-11-01T00:00|shared|team-a|shared"
    assert found[len(before) :] == [
        ("11-01T00:00", "team-a", "adjustment", credit, -6, -6),
        ("11-01T00:00", "team-b", "use", "g2", 5, 5),
        ("11-03T09:00", "team-b", "use", "g2", 10, 10),
    ]
    [_, shared, _] = made.read(BALANCES)
    assert shared == ("shared", 600, 6, 124, 7, 0, 484, 475, None)
    assert made.read(
        "select usage_period, drawn_usd from wallets.fct_wallet_members"
        " where wallet_id = 'shared' and member_key = 'team-b' order by 1"
    ) == [("2026-10", Decimal(50)), ("2026-11", Decimal(10))]


def test_the_check_of_use_finds_a_surplus_in_one_month_and_a_lack_in_another(
    road: tuple[Road, Engine],
) -> None:
    made, _ = road
    with duckdb.connect(str(made.home / "marts_build.duckdb")) as marts:
        for period, more in (("2026-10", 1), ("2026-11", -1)):
            marts.execute(
                "update wallets.fct_wallet_ledger set line_part_usd = line_part_usd + ?"
                " where line_id like 'use|%|shared|team-b' and period = ?",
                [more, period],
            )
    with pytest.raises(AssertionError, match="Got 2 results"):
        build(made.home, select=["assert_wallet_use_is_drawn_or_owed"])
