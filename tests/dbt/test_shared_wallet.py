"""A wallet that three teams share for a month, one of which has a wallet of its own as well."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from ops_stores import opened_store
from sqlalchemy import Engine, insert
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
""",
    "features": "features: [{id: chat}]\n",
    "customers": "customers: [{id: cust-x}, {id: cust-y}]\n",
    "wallets": """\
wallets:
  - id: shared
    entity: acme
    shared: true
    valid_from_at: 2026-10-01T00:00:00Z
    auto_top_up: {threshold: 20, amount: 100}
    alerts: [{critical: 50}]
  - {id: chats, entity: acme, shared: true, features: [chat], valid_from_at: 2026-10-01T00:00:00Z}
  - {id: own, entity: team-c, shared: true, valid_from_at: 2026-10-01T00:00:00Z}
  - id: x
    entity: cust-x
    valid_from_at: 2026-10-01T00:00:00Z
    auto_top_up: {threshold: 30, amount: 60, needs_confirmation: true}
  - {id: y, entity: cust-y, valid_from_at: 2026-10-01T00:00:00Z}
""",
    "wallet_entries": """\
wallet_entries:
  - {id: rest, wallet: shared, kind: grant, amount: 40, effective_at: 2026-09-15T00:00:00Z}
  - {id: paid, wallet: shared, kind: grant, amount: 60, priority: 2,
     effective_at: 2026-10-01T00:00:00Z}
  - {id: promo, wallet: shared, kind: grant, amount: 40, priority: 1, category: promotional,
     effective_at: 2026-10-01T00:00:00Z, expires_at: 2026-10-10T00:00:00Z}
  - {id: own-1, wallet: own, kind: grant, amount: 25, effective_at: 2026-10-01T00:00:00Z}
  - {id: x-1, wallet: x, kind: grant, amount: 100, effective_at: 2026-10-01T00:00:00Z}
  - {id: x-2, wallet: x, kind: grant, amount: 60, top_up: 1, effective_at: 2026-11-05T00:00:00Z}
  - {id: y-1, wallet: y, kind: grant, amount: 90, effective_at: 2026-10-01T00:00:00Z}
""",
}


def of(on: str, team: str, cost: str, customer: str = "cust-x") -> dict[str, Any]:
    return used(f"2026-10-{on}", team, cost, customer_key=customer)


# 110 of team-a, 66 of team-b, 40 of team-c; 90 for customer x, 126 for y: 216 in both trees.
OCTOBER = [
    of("05 09:00", "team-a", "20"),
    of("05 09:45", "team-b", "16", "cust-y"),
    of("12 10:00", "team-c", "30"),
    of("20 10:00", "team-b", "45", "cust-y"),
    of("20 10:15", "team-b", "5", "cust-y"),
    of("21 11:00", "team-a", "60", "cust-y"),
    of("22 09:00", "team-c", "4"),
    of("22 09:00", "team-c", "6") | {"feature_key": "chat"},
    of("22 09:15", "team-a", "30"),
]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Road, Engine]]:
    folder = tmp_path_factory.mktemp("shared_wallet")
    with opened_store(folder) as engine:
        made = Road(folder, FILES)
        made.walk(engine, 1, datetime(2026, 11, 2, tzinfo=UTC), OCTOBER)
        yield made, engine


BALANCES = """
    select wallet_id, granted_usd, used_usd, expired_usd, debt_usd, pending_top_up_usd,
        settled_balance_usd, ongoing_balance_usd
    from wallets.fct_wallet_balances order by wallet_id
"""
MEMBERS = """
    select wallet_id, member_key, drawn_usd, debt_usd from wallets.fct_wallet_members
    where usage_period = '2026-10' order by wallet_id, member_key
"""
# The use that a line is made of: of the line's member, within its hour, of its chain of wallets.
ACTS = """
    select ledger.line_id, max(ledger.line_total_usd), sum(usage.drawable_usd)
    from (
        select distinct line_id, member_key, wallet_chain, occurred_at, ended_at, line_total_usd
        from wallets.fct_wallet_ledger where member_key is not null
    ) as ledger
    left join wallets.fct_wallet_usage as usage
        on usage.draw_order = 1
        and usage.wallet_chain = ledger.wallet_chain
        and usage.member_key = ledger.member_key
        and usage.bucket_start_at >= ledger.occurred_at
        and usage.bucket_start_at < ledger.ended_at
    group by ledger.line_id order by ledger.line_id
"""


def test_grants_are_drawn_in_their_order_whichever_team_comes(road: tuple[Road, Engine]) -> None:
    found = road[0].read(
        "select strftime(occurred_at, '%dT%H'), member_key, posting_kind, grant_id, line_part_usd"
        " from wallets.fct_wallet_ledger where wallet_id in ('shared', 'own')"
        " and occurred_at > timestamp '2026-10-01' order by occurred_at, posting_id"
    )
    assert found == [
        ("05T09", "team-a", "use", "promo", 20),
        ("05T09", "team-b", "use", "promo", 16),
        ("10T00", None, "expiry", "promo", 4),
        ("12T10", "team-c", "use", "own-1", 25),
        ("12T10", "team-c", "use", "paid", 5),
        ("20T10", "team-b", "use", "paid", 50),
        ("21T11", "team-a", "debt", None, 15),
        ("21T11", "team-a", "use", "paid", 5),
        ("21T11", "team-a", "use", "rest", 40),
        ("21T12", None, "grant", "shared/top-up/1", 100),
        # Two chains of wallets in one hour: of chat, and of all else.
        ("22T09", "team-c", "use", "shared/top-up/1", 6),
        ("22T09", "team-c", "use", "shared/top-up/1", 4),
        ("22T09", "team-a", "use", "shared/top-up/1", 30),
    ]


def test_balances_and_what_each_team_drew(road: tuple[Road, Engine]) -> None:
    # A payment that is dated after the pass leaves the top-up pending.
    assert road[0].read(BALANCES) == [
        ("chats", 0, 0, 0, 0, 0, 0, 0),
        ("own", 25, 25, 0, 0, 0, 0, 0),
        ("shared", 240, 176, 4, 15, 0, 0, 60),
        ("x", 100, 90, 0, 0, 60, 0, 10),
        ("y", 90, 90, 0, 36, 0, 0, 0),
    ]
    assert road[0].read(MEMBERS) == [
        ("own", "team-c", 25, 0),
        ("shared", "team-a", 95, 15),
        ("shared", "team-b", 66, 0),
        ("shared", "team-c", 15, 0),
        ("x", "cust-x", 90, 0),
        ("y", "cust-y", 90, 36),
    ]


def test_both_trees_draw_and_owe_what_was_used(road: tuple[Road, Engine]) -> None:
    query = """
        select wallets.tree, sum(members.drawn_usd + members.debt_usd)
        from wallets.fct_wallet_members as members
        inner join wallets.dim_wallets as wallets using (wallet_id)
        group by wallets.tree order by wallets.tree
    """
    assert road[0].read(query) == [("customer", 216), ("owner", 216)]


def test_an_act_leads_to_the_entries_that_paid_it_and_an_entry_to_the_acts_it_paid(
    road: tuple[Road, Engine],
) -> None:
    paid_by = "select grant_id, line_part_usd from wallets.fct_wallet_ledger where line_id = '{}'"
    act = "use|2026-10-21T11:00|shared|team-a"
    assert sorted(road[0].read(paid_by.format(act)), key=str) == [
        ("paid", 5), ("rest", 40), (None, 15),
    ]  # fmt: skip
    paid_for = (
        "select line_id, line_part_usd from wallets.fct_wallet_ledger"
        " where grant_id = '{}' and posting_kind = 'use' order by 1"
    )
    assert road[0].read(paid_for.format("paid")) == [
        ("use|2026-10-12T10:00|own>shared|team-c", 5),
        ("use|2026-10-20T10:00|shared|team-b", 50),
        ("use|2026-10-21T11:00|shared|team-a", 5),
    ]
    lines = road[0].read(ACTS)
    assert len(lines) == 14  # eight of teams, six of customers
    assert [line for line in lines if line[1] != line[2]] == []


def test_what_is_closed_is_settled_and_what_came_since_is_ongoing(
    road: tuple[Road, Engine],
) -> None:
    made, engine = road
    with writing(engine) as connection:
        connection.execute(
            insert(period_close).values(
                period="2026-10",
                snapshot_id=1,
                closed_at=datetime(2026, 11, 4, tzinfo=UTC),
                by="ada",
                totals_json='{"lines": []}',
                totals_sha256="none",
            )
        )
    november = [
        used("2026-11-03 10:00", "team-b", cost, customer_key="cust-y", model_id=model,
             raw_key_alias="k")
        for model, cost in (("m1", "5"), ("m2", "7"))
    ]  # fmt: skip
    made.walk(engine, 2, datetime(2026, 11, 6, tzinfo=UTC), [*OCTOBER, *november])
    # September, in which nothing was used, is closed with October.
    assert made.read(BALANCES) == [
        ("chats", 0, 0, 0, 0, 0, 0, 0),
        ("own", 25, 25, 0, 0, 0, 0, 0),
        ("shared", 240, 188, 4, 15, 0, 60, 48),
        ("x", 160, 90, 0, 0, 0, 10, 70),
        ("y", 90, 90, 0, 48, 0, 0, 0),
    ]
    # The week's use, of the one wallet that has an alert.
    assert made.read(
        "select wallet_id, member_key, model_id, raw_key_alias, drawable_usd"
        " from wallets.fct_wallet_drivers order by drawable_usd"
    ) == [("shared", "team-b", "m1", "k", 5), ("shared", "team-b", "m2", "k", 7)]
