"""The demo's burn-rate alert is quiet on 45 days of its agents, and tells one that runs away.

The model is asked at each hour of those days: once an hour of the day for all days, since each day
is asked of an entity of its own, `agent@days ago`, whose past lies that many days later.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from staged_warehouse import compiled_models

from ingestion.config_alerts import Alert
from ingestion.config_budgets import LEVELS, length_of
from ingestion.config_yaml import read_yaml
from sandbox.company import AGENTS
from sandbox.world import build_world

AS_OF = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAYS = 45
MODEL = "int_alerts__burn_rates"
CONFIG = Path(__file__).resolve().parents[2] / "config" / "alerts.yaml"
[RUNAWAY] = [
    Alert.model_validate(said)
    for said in read_yaml(CONFIG, shown_as="alerts.yaml").value["alerts"]
    if said["kind"] == "burn_rate"
]
_SETUP = """
    create table spent as
    select agent_id, make_timestamp(start_ms * 1000) as at, spend_usd as usd, total_tokens as tokens
    from litellm where agent_id is not null
    union all
    select agent_id, make_timestamp(start_ms * 1000), list_usd, input_tokens + output_tokens
    from bedrock where agent_id is not null;

    create table asked as
    select agent_id, days_ago, agent_id || '@' || days_ago as entity_key
    from (select distinct agent_id from spent) cross join range($days) as days (days_ago);

    attach ':memory:' as warehouse;
    attach ':memory:' as marts;
    create schema warehouse.staging;
    create schema warehouse.intermediate;
    create schema marts.core;
    create schema marts.trust;
    create table marts.trust.fct_price_reviews (subject varchar, kind varchar, status varchar);
    create table warehouse.staging.stg_run__current_pass (as_of timestamp);
    create table warehouse.intermediate.int_trust__held_sources (
        source_instance varchar, held_reason varchar
    );

    create table warehouse.staging.stg_config__alerts as
    select
        entity_key as alert_id, 'burn_rate' as kind, entity_key,
        $window_minutes as window_minutes,
        $floor_usd as floor_usd, $critical as critical_threshold
    from asked;

    create table warehouse.intermediate.int_org__expanded as
    select
        entity_key, entity_key as ancestor_key, 'owner' as tree, 0 as depth,
        timestamp '1900-01-01' as valid_from_at, timestamp '9999-12-31' as valid_to_at
    from asked;

    create table marts.core.fct_usage as
    select
        asked.entity_key, 'internal' as customer_key, 'a-source' as source_instance,
        'a-model' as model_id,
        'a-key' as raw_key_alias, 'per_request' as fidelity,
        spent.at + to_days(cast(asked.days_ago as integer)) as occurred_at,
        cast(occurred_at as date) as usage_on, usd as effective_cost_usd, 0 as estimated_cost_usd,
        tokens as total_tokens
    from spent inner join asked on spent.agent_id = asked.agent_id
    where occurred_at > $as_of - interval '2 days' and occurred_at <= $as_of;

    create table warehouse.intermediate.int_spend__quarter_hours as
    select
        asked.entity_key, 'internal' as customer_key, 'per_request' as fidelity,
        time_bucket(interval '15 minutes', spent.at) + to_days(cast(asked.days_ago as integer))
            as bucket_start_at,
        cast(bucket_start_at as date) as usage_on, sum(usd) as effective_cost_usd,
        0 as estimated_cost_usd, sum(tokens) as total_tokens
    from spent inner join asked on spent.agent_id = asked.agent_id
    where bucket_start_at > $as_of - interval '17 days' and bucket_start_at <= $as_of
    group by all;
"""

# In the last five minutes, ten times the usual of the hour up to noon, or of the floor.
_RUN_AWAY = """
    insert into marts.core.fct_usage
    select
        asked.entity_key, 'internal', 'a-source', 'a-model', 'a-key', 'per_request',
        $as_of - interval '5 minutes', cast($as_of as date),
        10 * greatest($floor_usd, sum(usd) / 14), 0, sum(tokens)
    from spent inner join asked on spent.agent_id = asked.agent_id
    where asked.days_ago = 0 and hour(spent.at) = 11
        and spent.at >= $as_of - interval '15 days' and spent.at < cast($as_of as date)
    group by asked.entity_key
"""
_READ = "select entity_key, value, spent_usd from readings"


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The model as a view over what the demo's agents spent, once for each day that is asked of."""
    world = build_world(seed=7, as_of=AS_OF, days=DAYS)
    sql = compiled_models(tmp_path_factory.mktemp("home"), select=[MODEL])[MODEL]
    with duckdb.connect() as connection:
        connection.register("litellm", world.litellm)
        connection.register("bedrock", world.bedrock)
        values = {
            "days": DAYS,
            "window_minutes": length_of(RUNAWAY.window) // timedelta(minutes=1),
            "floor_usd": RUNAWAY.floor_usd,
            "critical": RUNAWAY.thresholds.critical,
            "as_of": AS_OF.replace(tzinfo=None),
        }
        for statement in _SETUP.split(";\n"):
            used = {name: value for name, value in values.items() if f"${name}" in statement}
            connection.execute(statement, used)
        connection.execute(f"create view readings as {sql}")
        yield connection


def readings(con: duckdb.DuckDBPyConnection, as_of: datetime) -> list[tuple[str, Decimal, Decimal]]:
    """What the alert reads at that time, of each agent and day."""
    con.execute("delete from warehouse.staging.stg_run__current_pass")
    now = as_of.replace(tzinfo=None)
    con.execute("insert into warehouse.staging.stg_run__current_pass values (?)", [now])
    return con.execute(_READ).fetchall()


def level(value: Decimal) -> int:
    """How severe a value is: 0 for ok."""
    limits = [getattr(RUNAWAY.thresholds, name) for name in LEVELS]
    return sum(limit is not None and value >= limit for limit in limits)


def test_an_agent_of_the_demo_has_at_most_one_false_alert_a_month(
    con: duckdb.DuckDBPyConnection,
) -> None:
    levels: dict[str, dict[datetime, int]] = {agent.agent_id: {} for agent in AGENTS}
    dollars = Decimal(0)
    for hour in range(24):
        as_of = AS_OF - timedelta(hours=hour)
        for entity, value, spent_usd in readings(con, as_of):
            agent, _, days_ago = entity.partition("@")
            levels[agent][as_of - timedelta(days=int(days_ago))] = level(value)
            dollars += spent_usd
    assert {len(of_agent) for of_agent in levels.values()} == {DAYS * 24}
    # Every hour was asked of, so that each dollar was spent in one window.
    assert dollars == con.execute("select sum(usd) from spent").fetchone()[0]
    alerts = Counter(
        (agent, f"{at:%Y-%m}")
        for agent, of_agent in levels.items()
        for (_, before), (at, after) in pairwise(sorted(of_agent.items()))
        if after > before
    )
    assert all(count <= 1 for count in alerts.values()), alerts


def test_an_agent_that_spends_ten_times_its_usual_is_told(con: duckdb.DuckDBPyConnection) -> None:
    now = {f"{agent.agent_id}@0" for agent in AGENTS}
    assert {level(value) for entity, value, _ in readings(con, AS_OF) if entity in now} == {0}
    con.begin()
    con.execute(_RUN_AWAY, {"as_of": AS_OF.replace(tzinfo=None), "floor_usd": RUNAWAY.floor_usd})
    told = {entity: value for entity, value, _ in con.execute(_READ).fetchall() if entity in now}
    con.rollback()
    assert set(told) == now
    assert all(value >= 10 and level(value) >= 1 for value in told.values()), told
