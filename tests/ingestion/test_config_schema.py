"""What one declaration may say by itself."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ingestion.config_alerts import Alert
from ingestion.config_budgets import Budget
from ingestion.config_outward import Endpoint, Gateway
from ingestion.config_schema import Identity
from ingestion.systems import Source


def budget(**said: Any) -> Budget:
    whole = {
        "id": "b",
        "entity": "acme",
        "period": "month",
        "amount": 100,
        "thresholds": {"info": 1},
    }
    return Budget.model_validate(whole | said)


def reason(call: Any, *declared: Any, **said: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        call(*declared, **said)
    (error,) = caught.value.errors()
    return str(error["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    "levels",
    [
        {"info": 1},
        {"critical": 1},
        {"info": 0, "warning": 0, "critical": 0},
        {"info": -1, "critical": 1},
        {"warning": 1, "critical": 1},
        {"info": 2, "critical": 3},
    ],
)
def test_legal_thresholds(levels: dict[str, int]) -> None:
    assert budget(thresholds=levels)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            {"thresholds": {}},
            "thresholds: an enabled budget needs at least one (or say enabled: false)",
        ),
        ({"thresholds": {"warning": 1}}, "thresholds: a warning needs a critical"),
        (
            {"thresholds": {"info": 2, "critical": 1}},
            "thresholds: the order is info <= warning <= critical",
        ),
        (
            {"thresholds": {"info": 1, "warning": 3, "critical": 2}},
            "thresholds: the order is info <= warning <= critical",
        ),
        ({"condition": "below"}, "a spend budget alerts above its thresholds, never below"),
        ({"each": "team"}, "say either entity or each"),
        ({"entity": None}, "say either entity or each"),
        ({"timezone": "Mars/Olympus"}, "timezone is not an IANA name: Mars/Olympus"),
        (
            {"measure": "quantity"},
            "measure: quantity counts a unit, for example unit: credits",
        ),
        ({"unit": "credits"}, "measure: quantity counts a unit, for example unit: credits"),
        ({"period": "rolling"}, "period: rolling has a length, for example length: 30d"),
        ({"length": "30d"}, "period: rolling has a length, for example length: 30d"),
        (
            {"period": "rolling", "length": "20m"},
            "length must be quarters of an hour, for example 45m",
        ),
        (
            {"period": "week", "anchor_day": 3},
            "anchor_day is the first day of a month or quarter",
        ),
        ({"filter": {"tag": "prod"}}, "filter: a tag is written key=value"),
        ({"filter": {"model": ["a|b"]}}, "must not contain |"),
        (
            {"measure": "tokens", "thresholds": {"unit": "usd", "info": 1}},
            "thresholds: this budget counts tokens, not usd",
        ),
        (
            {"increases": [{"amount": 5}], "thresholds": {"unit": "absolute", "info": 1}},
            "thresholds: only shares of the amount follow an increase",
        ),
        (
            {"actions": ["block"]},
            "actions belong to mode: hard, or soft for a limit from warning on",
        ),
        ({"actions": ["block", "zero_budget"]}, "actions: one limit a budget"),
        (
            {"actions": ["block"], "mode": "soft", "thresholds": {"critical": 1}},
            "actions of mode: soft start at warning: thresholds has none",
        ),
        (
            {"actions": ["rate_limit"], "mode": "hard", "thresholds": {"critical": 1}},
            "actions: rate_limit has requests_per_minute, for example 10",
        ),
        (
            {"requests_per_minute": 10},
            "actions: rate_limit has requests_per_minute, for example 10",
        ),
        (
            {
                "actions": ["cap_to_remaining"],
                "mode": "hard",
                "measure": "tokens",
                "thresholds": {"critical": 1},
            },
            "actions: cap_to_remaining needs measure: cost and mode: hard",
        ),
        ({"actions": ["block"], "mode": "hard"}, "actions start at critical: thresholds has none"),
    ],
)
def test_budgets_that_contradict_themselves_are_refused(
    said: dict[str, Any], expected: str
) -> None:
    assert reason(budget, **said) == expected


@pytest.mark.parametrize("amount", ["nan", "inf", "1e40", "0.0000001", "ten", [1]])
def test_an_amount_is_a_finite_number_of_dollars(amount: Any) -> None:
    assert reason(budget, amount=amount)


def test_a_disabled_budget_may_wait_for_its_thresholds() -> None:
    assert budget(enabled=False, thresholds={}).enabled is False


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"value": "x"}, "value and pattern need a target; match finds its own"),
        ({"match": "email", "target": "t"}, "value and pattern need a target; match finds its own"),
        ({"target": "t"}, "say exactly one of value, pattern and match"),
        (
            {"value": "x", "pattern": "y", "target": "t"},
            "say exactly one of value, pattern and match",
        ),
        ({"match": "email", "prefix": "user-"}, "prefix belongs to match: same_id"),
        ({"pattern": "(", "target": "t"}, "pattern is not a regular expression in RE2 syntax"),
        ({"pattern": r"(a)\1", "target": "t"}, "pattern is not a regular expression in RE2 syntax"),
        (
            {"pattern": "(?=a)b", "target": "t"},
            "pattern: of the (?…) groups only (?:…) means the same everywhere",
        ),
        (
            {"pattern": "(?i)a", "target": "t"},
            "pattern: of the (?…) groups only (?:…) means the same everywhere",
        ),
    ],
)
def test_rules_that_cannot_be_run_are_refused(said: dict[str, Any], expected: str) -> None:
    assert (
        reason(lambda **kw: Identity.model_validate({"field": "raw_user"} | kw), **said) == expected
    )


def endpoint(**said: Any) -> Endpoint:
    whole = {"id": "e", "secret_env": "S", "events": ["*"], "url": "https://hooks.example/a"}
    return Endpoint.model_validate(whole | said)


def test_an_endpoint_is_https_unless_it_says_otherwise() -> None:
    assert endpoint().url == "https://hooks.example/a"
    assert (
        reason(endpoint, url="http://hooks.example/a")
        == "url: plain http needs allow_insecure: true"
    )
    assert endpoint(url="http://127.0.0.1:8000/", allow_insecure=True)


def test_an_endpoint_names_the_private_networks_it_may_lie_in() -> None:
    named = ("10.20.0.0/16", "100.64.0.0/10", "fd12::/16")
    assert endpoint(allow_networks=named).allow_networks == named
    refused = {"8.8.8.0/24": "not a private network", "10.0.0.1/8": "host bits", "x": "must be"}
    for network, why in refused.items():
        assert why in reason(endpoint, allow_networks=[network])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"secret_env": None}, "secret_env is missing: messages are signed"),
        ({"format": "slack"}, "url: who knows a Slack address may post to it; use url_env"),
        (
            {"previous_expires_at": "2026-12-31T00:00:00Z"},
            "previous_expires_at is of secret_env_previous, which is missing",
        ),
        (
            {"kind": "command"},
            "a command endpoint hears commands: no events, entities, expect_body or format",
        ),
        (
            {"kind": "command", "events": []},
            "a command endpoint, and no other, has one verify_url or _env",
        ),
        (
            {"verify_url_env": "V"},
            "a command endpoint, and no other, has one verify_url or _env",
        ),
        (
            {"kind": "command", "events": [], "verify_url": "http://hooks.example/"},
            "url: plain http needs allow_insecure: true",
        ),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(said: dict[str, Any], why: str) -> None:
    assert reason(endpoint, **said) == why


def test_slack_needs_no_secret_and_a_command_endpoint_no_events() -> None:
    assert endpoint(format="slack", secret_env=None, url=None, url_env="U").events == ("*",)
    command = endpoint(kind="command", events=[], verify_url_env="V")
    assert command.acknowledge_within_minutes == 15


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"system": "command"}, "system: command names the endpoint that acts"),
        (
            {"system": "litellm", "base_url_env": "A"},
            "litellm needs base_url_env and admin_key_env, no endpoint",
        ),
    ],
)
def test_a_gateway_names_the_way_to_it(said: dict[str, Any], why: str) -> None:
    assert reason(Gateway.model_validate, {"id": "g", **said}) == why


@pytest.mark.parametrize(
    "url", ["ftp://hooks.example", "https://user:secret@hooks.example/", "hooks.example"]
)
def test_an_address_without_a_scheme_or_with_a_password_is_refused(url: str) -> None:
    assert "pattern" in reason(endpoint, url=url)


def test_an_endpoint_names_known_events_and_where_its_secret_is() -> None:
    assert "budget.threshold_reached" in reason(endpoint, events=["budget.exceeded"])
    assert reason(endpoint, events=[]) == "events names none: say '*' for all, or enabled: false"
    assert reason(endpoint, secret="whsec_x") == "Extra inputs are not permitted"
    assert reason(endpoint, url=None) == "say either url or url_env"


def test_a_source_is_one_of_the_known_systems_with_its_own_fields() -> None:
    source: TypeAdapter[Any] = TypeAdapter(Source)
    said = {
        "id": "a",
        "system": "litellm",
        "evidence_layer": "gateway",
        "base_url_env": "A",
        "api_key_env": "B",
    }
    assert source.validate_python(said).entity_from == (
        "raw_agent",
        "raw_user",
        "raw_team",
        "raw_key_alias",
    )
    for wrong in (
        {"system": "lightllm"},
        {"bucket": "b"},
        {"api_key_env": "sk-1234"},
        {"entity_from": ["raw_tem"]},
    ):
        assert reason(source.validate_python, said | wrong)


@pytest.mark.parametrize("said", [{"kind": "anomaly"}, {"thresholds": {"info": 8}}])
def test_only_a_burn_rate_with_a_critical_threshold_acts(said: dict[str, Any]) -> None:
    whole = {"id": "a", "entity": "acme", "kind": "burn_rate", "actions": ["block"]}
    whole |= {"thresholds": {"warning": 8, "critical": 20}}
    assert Alert.model_validate(whole).actions == ("block",)
    assert reason(Alert.model_validate, whole | said) == (
        "actions: only a burn_rate acts, at its critical threshold"
    )


def test_a_burn_rates_window_is_whole_quarters_of_an_hour() -> None:
    whole = {"id": "a", "entity": "acme", "kind": "burn_rate", "thresholds": {"info": 8}}
    for window in ("15m", "90m", "24h"):
        assert Alert.model_validate(whole | {"window": window}).window == window
    for window in ("1m", "20m"):
        assert reason(Alert.model_validate, whole | {"window": window}) == (
            "window must be quarters of an hour, for example 45m"
        )
    assert reason(Alert.model_validate, whole | {"window": "2d"}) == "window is at most 24h"
