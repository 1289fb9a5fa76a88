"""What a customer, team or user may still use, asked of a running collector."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import requests
from collector_service import APP_TOKEN, collector

MARTS = """
    create schema core;
    create schema budgets;
    create table core.published_snapshot as
        select 7::bigint as snapshot_id, timestamp '2026-11-24 11:58:30' as as_of;
    create table core.dim_customers as
        select 'northwind' as customer_key, 'customer' as customer_type,
            'customers / resellers / northwind' as customer_path;
    create table core.dim_entities as
        select 'ada' as entity_key, 'user' as entity_type, 'acme / ci/cd / ada' as entity_path;
    create table budgets.fct_budget_status as select * replace (
        amount::decimal(38, 15) as amount, used::decimal(38, 15) as used,
        remaining::decimal(38, 15) as remaining
    ) from (values
        ('tokens', 'northwind', 'tokens', 'tokens', '|chat|search|', null, 1000, 999.5, 0.5, true),
        ('calls', 'resellers', 'requests', 'requests', null, '|openai/o3|', 10, 12, -2, true),
        ('ended', 'northwind', 'tokens', 'tokens', null, null, 1, 1, 0, false),
        ('others', 'contoso', 'tokens', 'tokens', null, null, 1, 1, 0, true),
        ('team', 'ci/cd', 'cost', 'usd', null, null, 100, 40, 60, true),
        ('seat', 'ada', 'requests', 'requests', null, null, 5, 5, 0, true)
    ) as given (budget_id, entity_key, measure, unit, feature_filter, model_filter, amount, used,
        remaining, is_current);
    alter table budgets.fct_budget_status add column period varchar default 'month';
    alter table budgets.fct_budget_status
        add column period_start_at timestamp default timestamp '2026-11-01';
    alter table budgets.fct_budget_status
        add column period_end_at timestamp default timestamp '2026-12-01';
    alter table budgets.fct_budget_status add column matched_level varchar default 'warning';
    alter table budgets.fct_budget_status add column is_complete boolean default true;
    alter table budgets.fct_budget_status add column is_paused boolean default false;
    alter table budgets.fct_budget_status add column scope varchar default 'consolidated';
    alter table budgets.fct_budget_status add column source_filter varchar;
    alter table budgets.fct_budget_status add column provider_filter varchar;
    alter table budgets.fct_budget_status add column operation_filter varchar;
    alter table budgets.fct_budget_status add column application_filter varchar;
    alter table budgets.fct_budget_status add column tag_filter varchar;
    update budgets.fct_budget_status
        set tag_filter = '|env=prod|', provider_filter = '|openai|azure|' where budget_id = 'seat';
    insert into budgets.fct_budget_status by name
        select * replace ('above-alone' as budget_id, 'individual' as scope)
        from budgets.fct_budget_status where budget_id = 'calls'
        union all by name
        select * replace ('paused' as budget_id, true as is_paused)
        from budgets.fct_budget_status where budget_id = 'calls';
"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with collector(tmp_path) as service:
        yield f"{service.url}/v1/entitlements"


@pytest.fixture
def published(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as marts:
        marts.execute(MARTS)


def asked(url: str, token: str | None = APP_TOKEN, **params: str | list[str]) -> requests.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return requests.get(url, params=params, headers=headers, timeout=30)


def test_a_customer_is_told_what_is_left_of_its_budgets_and_of_those_above(
    url: str, published: None
) -> None:
    answer = asked(url, customer="northwind")
    assert answer.status_code == 200
    told = answer.json()
    # The collector's clock stands at noon, a minute and a half after the snapshot's time.
    assert told["snapshot"] == {
        "id": 7,
        "as_of": "2026-11-24T11:58:30+00:00",
        "age_seconds": 90,
    }
    assert told["is_exceeded"] is True
    calls, tokens = told["entitlements"]
    assert (tokens["granted"], tokens["used"], tokens["left"]) == ("1000", "999.5", "0.5")
    assert tokens["is_exceeded"] is False
    assert (told["entity_type"], told["tree"], told["asked"]) == ("customer", "customer", {})
    assert tokens["filter"] == {"feature": ["chat", "search"]}
    assert (calls["entity"], calls["left"], calls["is_exceeded"]) == ("resellers", "0", True)
    assert calls["filter"] == {"model": ["openai/o3"]}


def test_of_a_feature_the_budgets_of_all_features_count_too(url: str, published: None) -> None:
    def ids(feature: str) -> list[str]:
        told = asked(url, customer="northwind", feature=feature).json()["entitlements"]
        return [each["id"] for each in told]

    assert asked(url, customer="northwind", feature="chat").json()["asked"] == {"feature": ["chat"]}
    assert ids("chat") == ["calls", "tokens"]
    assert ids("sear") == ["calls"]


def test_who_is_not_known_learns_nothing(url: str, published: None) -> None:
    for token in (None, "wrong"):
        answer = asked(url, token, customer="northwind")
        assert (answer.status_code, answer.content) == (401, b"")
    assert asked(url, customer="nobody").status_code == 404
    # A customer is asked for; a user is none.
    assert asked(url, customer="ada").status_code == 404
    assert asked(url).status_code == 400
    assert asked(url, customer="northwind", entity="ada").status_code == 400
    assert asked(url, customer="northwind", team="search").status_code == 400


def test_a_user_is_told_its_own_and_its_team_s_with_what_each_is_of(
    url: str, published: None
) -> None:
    told = asked(url, entity="ada").json()
    assert (told["entity"], told["entity_type"], told["tree"]) == ("ada", "user", "owner")
    seat, team = told["entitlements"]
    assert (team["id"], team["entity"], team["left"], team["filter"]) == ("team", "ci/cd", "60", {})
    assert seat["filter"] == {"provider": ["openai", "azure"], "tag": ["env=prod"]}
    assert told["is_exceeded"] is True


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        ({"tag": ["env=prod", "tier=gold"]}, ["seat", "team"]),
        ({"tag": ["env=test"]}, ["team"]),
        ({"tag": ["env=prod"], "provider": ["azure"]}, ["seat", "team"]),
        ({"tag": ["env=prod"], "provider": ["anthropic"]}, ["team"]),
        ({"source": ["litellm-main"]}, ["seat", "team"]),
    ],
)
def test_budgets_of_other_use_are_left_out(
    url: str, published: None, said: dict[str, list[str]], ids: list[str]
) -> None:
    told = asked(url, entity="ada", **said).json()
    assert [each["id"] for each in told["entitlements"]] == ids
    assert told["is_exceeded"] is ("seat" in ids)


def test_before_anything_is_published_the_product_is_asked_to_come_back(url: str) -> None:
    answer = asked(url, customer="northwind")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
