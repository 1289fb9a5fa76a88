"""The price models over the bundled seed, against the Decimal reference and figures by hand."""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from generated_usage import KINDS, expected_of, generated_events, requests_of
from hand_usage import expected_costs, hand_acts
from price_warehouse import PRICE_MODELS, TOKEN_BUCKETS, Row, event, make_upstream, rows_of
from staged_warehouse import build

from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from price_catalog.cost import Usage
from price_catalog.guards import Past, decide
from price_catalog.match import index_of, match
from price_catalog.parse import ParsedCatalogue, PriceRow, parse
from price_catalog.refresh import price_catalog_source, read_seed

OBSERVED_AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def catalogue() -> ParsedCatalogue:
    return parse(read_seed())


@pytest.fixture(scope="module")
def generated(catalogue: ParsedCatalogue) -> dict[str, tuple[PriceRow, ...]]:
    """The rates of every catalogued model that has any, by price key."""
    rates: dict[str, list[PriceRow]] = {}
    for row in catalogue.prices:
        rates.setdefault(f"{row.provider}/{row.model}", []).append(row)
    return {key: tuple(rows) for key, rows in rates.items()}


@pytest.fixture(scope="module")
def warehouse(
    tmp_path_factory: pytest.TempPathFactory, generated: dict[str, tuple[PriceRow, ...]]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The seed landed by dlt, upstream tables made by hand, the price models built by dbt."""
    home = tmp_path_factory.mktemp("home")
    pipeline = pipeline_for("price_catalog", instance=None, home=home)
    run_source(pipeline, price_catalog_source(url=None, observed_at=OBSERVED_AT))
    events = [*hand_events(), *hand_acts(), *generated_events(generated)]
    with duckdb.connect(str(warehouse_path(home))) as connection:
        make_upstream(connection, events, raw_names(), approved=held_back())
    build(home, select=PRICE_MODELS)
    with duckdb.connect(str(warehouse_path(home))) as connection:
        yield connection


def held_back() -> list[str]:
    """What the guards hold back of the seed: a person accepts it here, so that all is priced."""
    decided = decide(read_seed(), past=Past())
    return [each.item_id for each in decided.judged if each.verdict == "quarantine"]


def hand_events() -> list[dict[str, object]]:
    million = Usage(input=1_000_000)
    gemini = {"provider": "gemini", "model_served": "gemini-2.5-pro"}
    claim = {"source_instance": "trusting", "reported_cost_usd": Decimal("7.5")}
    unknown = {"provider": "openai", "model_served": "acme-internal-7b"}
    failed = {"status": "error", "source_instance": "trusting"}
    return [
        event("a_million", million),
        event("cached", Usage(input=816, cache_read=1024, output=320)),
        event("at_threshold", Usage(input=200_000), **gemini),
        event("above_threshold", Usage(input=100_001, cache_read=100_000, output=10), **gemini),
        event("empty", Usage()),
        event("trusted", million, **claim),
        event("distrusted", million, reported_cost_usd=Decimal("7.5")),
        event("trusted_unmatched", million, **(unknown | claim)),
        event("no_claim", million, source_instance="trusting"),
        event("cache_hit", million, is_gateway_cache_hit=True),
        event("failed", million, **failed, reported_cost_usd=Decimal(0)),
        event("failed_but_billed", million, **(failed | claim)),
        event("unmatched", Usage(input=1000, output=100), **unknown),
        event("no_provider", Usage(input=1000), provider=None, model_served=None),
        event("audio", Usage(input=10, audio_input=10)),
        event("seconds", Usage(), quantity=Decimal(60)),
        event("informational", million, is_informational=True),
        event("requested_only", million, model_served=None, model_requested="gpt-4o"),
        event("alias_before", million, **aliased(datetime(2026, 11, 21, 23, 59, 59))),  # noqa: DTZ001
        event("alias_after", million, **aliased(datetime(2026, 11, 22))),  # noqa: DTZ001
        event("alias_abroad", million, provider="azure", model_served="acme-direct", region="eu"),
        event("backcast", million, occurred_at=datetime(2025, 1, 1)),  # noqa: DTZ001
    ]


def aliased(occurred_at: datetime) -> dict[str, object]:
    return {"provider": "azure", "model_served": "acme-prod", "occurred_at": occurred_at}


def raw_names() -> list[tuple[str, str]]:
    """Names as sources spell them: every 9th model plain, dated, routed, and near misses."""
    names: list[tuple[str, str]] = []
    for row in parse(read_seed()).models[::9]:
        provider, model = row.provider, row.model
        names += [(provider, model), (provider, f"{model}-2026-01-31"), (provider, f"{model}x")]
        names += [(provider.upper(), f"{provider}/{model}"), (provider, model[:-1])]
        names += [(provider, f"{model}-20260131-v1:0"), (provider, f"{model}@default")]
        names += [(provider, f"{model}-2026-13-31"), (provider, f"{model}@20260131")]
        names += [("bedrock", f"bedrock/converse/us.{model}"), ("vertex_ai-made_up", model)]
    arn = "arn:aws:bedrock:us-east-1:123456789012"
    names += [
        ("aws", f"{arn}:inference-profile/ca.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("aws", f"{arn}:application-inference-profile/abcdefghijkl"),
        ("bedrock_converse", f"{arn}:foundation-model/amazon.nova-pro-v1:0"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc123"),
        ("openai", "gpt-5.6-sol-preview"),
        ("openrouter", "anthropic/claude-sonnet-4.5-20250929:nitro"),
        ("openrouter", "openrouter/auto"),
    ]
    return names


def priced(warehouse: duckdb.DuckDBPyConnection, usage_key: str) -> Row:
    query = f"select * from intermediate.int_usage__priced where usage_key = '{usage_key}'"
    [row] = rows_of(warehouse, query)
    return row


@pytest.mark.parametrize(
    ("usage_key", "price_status", "cost_basis", "effective_cost_usd", "list_cost_usd"),
    [
        # gpt-4o: input 2.50, cache read 1.25, output 10 per million.
        ("a_million", "priced", "list", "2.5", "2.5"),
        # 816 * 0.0000025 + 1024 * 0.00000125 + 320 * 0.00001 = 0.00204 + 0.00128 + 0.0032
        ("cached", "priced", "list", "0.00652", "0.00652"),
        # gemini-2.5-pro: 1.25 up to 200,000 input tokens; above, 2.50, cached 0.25 and output 15.
        ("at_threshold", "priced", "list", "0.25", "0.25"),
        # 100,001 * 0.0000025 + 100,000 * 0.00000025 + 10 * 0.000015 = 0.2500025 + 0.025 + 0.00015
        ("above_threshold", "priced", "list", "0.2751525", "0.2751525"),
        ("empty", "priced", "list", "0", "0"),
        ("trusted", "reported", "reported", "7.5", "2.5"),
        ("distrusted", "priced", "list", "2.5", "2.5"),
        ("trusted_unmatched", "reported", "reported", "7.5", None),
        ("no_claim", "priced", "list", "2.5", "2.5"),
        ("cache_hit", "not_charged", "not_charged", "0", "0"),
        ("failed", "not_charged", "not_charged", "0", "0"),
        ("failed_but_billed", "reported", "reported", "7.5", "2.5"),
        ("unmatched", "unmatched_model", None, None, None),
        ("no_provider", "unmatched_model", None, None, None),
        ("audio", "no_rate_for_meter", None, None, None),
        ("seconds", "no_rate_for_meter", None, None, None),
        ("informational", "informational", None, None, None),
        ("requested_only", "priced", "list", "2.5", "2.5"),
        # The name means azure gpt-4o until midnight UTC, then gpt-4o-mini at 0.15 per million.
        ("alias_before", "priced", "list", "2.5", "2.5"),
        ("alias_after", "priced", "list", "0.15", "0.15"),
        # What an alias to OpenAI's own model means has no price of Azure's region (2.75).
        ("alias_abroad", "priced", "list", "2.5", "2.5"),
        ("backcast", "priced", "list", "2.5", "2.5"),
    ],
)
def test_an_act_costs_what_the_rules_say(
    warehouse: duckdb.DuckDBPyConnection,
    usage_key: str,
    price_status: str,
    cost_basis: str | None,
    effective_cost_usd: str | None,
    list_cost_usd: str | None,
) -> None:
    row = priced(warehouse, usage_key)
    assert (row["price_status"], row["cost_basis"]) == (price_status, cost_basis)
    expected = None if effective_cost_usd is None else Decimal(effective_cost_usd)
    assert row["effective_cost_usd"] == expected
    assert row["list_cost_usd"] == (None if list_cost_usd is None else Decimal(list_cost_usd))


@pytest.mark.parametrize(("usage_key", "price_status", "list_cost_usd"), expected_costs())
def test_where_when_how_and_under_which_name_an_act_ran_decides_its_price(
    warehouse: duckdb.DuckDBPyConnection,
    usage_key: str,
    price_status: str,
    list_cost_usd: Decimal | None,
) -> None:
    row = priced(warehouse, usage_key)
    assert (row["price_status"], row["list_cost_usd"]) == (price_status, list_cost_usd)


def test_an_unpriced_act_has_an_estimate_and_a_priced_one_has_none(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    [rates] = rows_of(
        warehouse,
        "select * from intermediate.int_prices__estimate_rates where provider = 'openai'",
    )
    unmatched = priced(warehouse, "unmatched")
    assert unmatched["estimated_cost_usd"] == (
        1000 * rates["estimate_input_usd_per_unit"] + 100 * rates["estimate_output_usd_per_unit"]
    )
    assert rates["estimate_input_usd_per_unit"] >= Decimal("0.0000025")
    assert priced(warehouse, "a_million")["estimated_cost_usd"] is None
    assert priced(warehouse, "seconds")["estimated_cost_usd"] is None


def test_a_price_used_before_it_was_observed_is_flagged(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    assert priced(warehouse, "backcast")["is_price_backcast"] is True
    assert priced(warehouse, "a_million")["is_price_backcast"] is False


def test_money_is_decimal_and_no_act_is_lost_or_priced_twice(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    types = rows_of(warehouse, "describe intermediate.int_usage__priced")
    money = {
        str(each["column_type"]) for each in types if str(each["column_name"]).endswith("_cost_usd")
    }
    assert money == {"DECIMAL(38,15)"}
    [counts] = rows_of(
        warehouse,
        """select
            (select count(*) from intermediate.int_usage__attributed) as given,
            (select count(*) from intermediate.int_usage__priced) as priced,
            (select count(distinct usage_key) from intermediate.int_usage__priced) as keys""",
    )
    assert counts["given"] == counts["priced"] == counts["keys"]


def test_lines_sum_to_the_list_cost_or_are_all_unknown(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    lines = [f"list_{line}_cost_usd" for line in (*TOKEN_BUCKETS, "request", "unit")]
    [counts] = rows_of(
        warehouse,
        f"""select
            count(*) filter (list_cost_usd = {" + ".join(lines)}) as known,
            count(*) filter (coalesce(list_cost_usd, {", ".join(lines)}) is null) as unknown,
            count(*) as given
        from intermediate.int_usage__priced""",
    )
    assert counts["known"] + counts["unknown"] == counts["given"]  # type: ignore[operator]
    assert min(counts["known"], counts["unknown"]) > 1000  # type: ignore[type-var]


def test_dbt_and_the_decimal_reference_agree_on_every_model_of_the_seed(
    warehouse: duckdb.DuckDBPyConnection,
    generated: dict[str, tuple[PriceRow, ...]],
    catalogue: ParsedCatalogue,
    capsys: pytest.CaptureFixture[str],
) -> None:
    index = index_of(((row.provider, row.model) for row in catalogue.models), aliases={})
    columns = ", ".join(f"list_{line}_cost_usd" for line in (*TOKEN_BUCKETS, "request"))
    query = f"""select usage_key, price_status, price_key, effective_cost_usd, {columns}
        from intermediate.int_usage__priced where usage_key like '%#%'"""
    built = {str(row["usage_key"]): row for row in rows_of(warehouse, query)}
    statuses: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for key, rates in generated.items():
        for number, request in enumerate(requests_of(key, rates)):
            row = built.pop(f"{key}#{number}")
            expected = expected_of(request, rates[0], index=index, generated=generated)
            assert row["effective_cost_usd"] == expected.total_usd, (key, request)
            if expected.total_usd is None:
                status = "no_rate_for_meter"
            else:
                status = "priced_fallback" if expected.is_fallback else "priced"
                for line, amount in expected.lines.items():
                    assert row[f"list_{line}_cost_usd"] == amount, (key, line)
            assert row["price_status"] == status, (key, request)
            statuses[status] += 1
            kinds[request.kind] += 1
    assert not built
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(generated)} models and {kinds.total()} rows agree to the last digit: "
            f"{dict(kinds)}, {dict(statuses)}\n"
        )
    assert len(generated) > 4300
    # Every outcome and every kind of request is covered, none only by accident.
    assert set(statuses) == {"priced", "priced_fallback", "no_rate_for_meter"}
    assert min(statuses.values()) > 1000, statuses
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) > 20, kinds


def test_names_match_in_sql_as_they_do_in_python(
    warehouse: duckdb.DuckDBPyConnection, catalogue: ParsedCatalogue
) -> None:
    index = index_of(((row.provider, row.model) for row in catalogue.models), aliases={})
    query = "select * from intermediate.int_prices__name_matches"
    found = {(row["provider"], row["model_name"]): row for row in rows_of(warehouse, query)}
    outcomes: Counter[str] = Counter()
    for provider, name in raw_names():
        row = found[(provider, name)]
        expected = match(name, provider=provider, index=index)
        key = None if expected.model is None else f"{expected.provider}/{expected.model}"
        assert (row["price_key"], row["matched_by"], row["region_extract"]) == (
            key,
            expected.matched_by,
            expected.region_extract,
        ), (provider, name)
        outcomes[expected.matched_by] += 1
    assert min(outcomes[each] for each in ("exact", "catalogue_alias", "date_suffix", "none")) > 20


def test_a_second_snapshot_opens_a_version_only_where_a_rate_changed(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    template = '{"a": {"litellm_provider": "p", "input_cost_per_token": %s}, \
        "b": {"litellm_provider": "p", "input_cost_per_token": 1e-6}}'
    for day, rate in ((1, "1e-6"), (2, "2e-6"), (3, "1e-6")):
        file.write_text(template % rate, encoding="utf-8")
        pipeline = pipeline_for("price_catalog", instance=None, home=tmp_path)
        moment = datetime(2026, 11, day, tzinfo=UTC)
        run_source(pipeline, price_catalog_source(url=file.as_uri(), observed_at=moment))
    midnight = datetime(2026, 11, 2)  # noqa: DTZ001
    second = datetime(2026, 11, 1, 23, 59, 59)  # noqa: DTZ001
    given = {"provider": "p", "model_served": "a", "usage_on": date(2026, 11, 2)}
    usage = Usage(input=1_000_000)
    with duckdb.connect(str(warehouse_path(tmp_path))) as connection:
        events = [
            event("before", usage, **given, occurred_at=second),
            event("after", usage, **given, occurred_at=midnight),
        ]
        make_upstream(connection, events, [])
    build(tmp_path, select=PRICE_MODELS)
    with duckdb.connect(str(warehouse_path(tmp_path))) as connection:
        costs = {key: priced(connection, key)["effective_cost_usd"] for key in ("before", "after")}
        versions = rows_of(
            connection,
            """select model_name, valid_from_at, valid_to_at from intermediate.int_prices__versions
            order by model_name, valid_from_at""",
        )
    assert costs == {"before": Decimal(1), "after": Decimal(2)}
    days = [
        (v["model_name"], v["valid_from_at"].year, v["valid_to_at"] and v["valid_to_at"].day)  # type: ignore[attr-defined]
        for v in versions
    ]
    assert days == [("a", 1970, 2), ("a", 2026, 3), ("a", 2026, None), ("b", 1970, None)]
