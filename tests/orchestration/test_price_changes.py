"""Price changes of models in use go out as one digest a day, most impact first, exact amounts."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from contract_marts import publish
from ops_stores import endpoint, opened_store, rows

from orchestration.governance.bodies import MAX_BYTES
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.price_changes import (
    PriceChange,
    announce_price_changes,
    read_price_changes,
)
from orchestration.ops.tables import outbox

AS_OF = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def row(model: str, impact: str, *, known_at: datetime = AS_OF - HOUR, **more: Any) -> dict:
    """A change of input from 2.50 to 3.00 a million; output stays at 10."""
    known = known_at.replace(tzinfo=None)
    return {
        "price_version_key": f"{model} {known}",
        "price_key": f"openai/{model}",
        "provider": "openai",
        "model_name": model,
        "direction": "raised",
        "old_input_usd_per_unit": Decimal("0.0000025"),
        "new_input_usd_per_unit": Decimal("0.000003"),
        "old_output_usd_per_unit": Decimal("0.00001"),
        "new_output_usd_per_unit": Decimal("0.00001"),
        "valid_from_at": known,
        "observed_at": known,
        "known_at": known,
        "requests_count": 3,
        "incomparable_requests_count": 0,
        "old_list_cost_usd": Decimal("2.5"),
        "new_list_cost_usd": Decimal("2.5") + Decimal(impact),
        "impact_usd": Decimal(impact),
        "top_entities_json": f'[{{"entity":"team-search","impact":"{impact}00"}}]',
    } | more


def changes(folder: Path, *given: dict) -> list[PriceChange]:
    path = folder / f"marts-{len(list(folder.iterdir()))}.duckdb"
    publish(path, {"trust.fct_price_changes": given})
    with duckdb.connect(str(path), read_only=True) as marts:
        return read_price_changes(marts)


def test_a_day_s_changes_are_one_digest_with_the_most_impact_first(tmp_path: Path) -> None:
    found = changes(
        tmp_path,
        row("small", "0.5"),
        row("unused", "0", requests_count=0),
        row("cheaper", "-7.25", direction="lowered"),
        row("unknown", "0", incomparable_requests_count=2),
        row("long-known", "90", known_at=AS_OF - 31 * DAY),
    )
    with opened_store(tmp_path) as engine:
        sync_endpoints(
            engine,
            [
                endpoint("finops"),
                endpoint("prices", events=("price.changed",)),
                endpoint("budgets", events=("budget.*",)),
                endpoint("globex", entities=("globex",)),
            ],
        )
        assert announce_price_changes(engine, found, as_of=AS_OF) == 2
        assert announce_price_changes(engine, found, as_of=AS_OF) == 0
        messages = rows(engine, outbox)
    assert {each["endpoint_id"] for each in messages} == {"finops", "prices"}
    assert len({each["body"] for each in messages}) == 1
    body = json.loads(messages[0]["body"])
    assert body["type"] == messages[0]["event_type"] == "price.changed"
    listed = body["data"].pop("changes")
    assert body["data"] == {
        "day": "2026-11-23",
        "count": 3,
        "listed_count": 3,
        "impact": "-6.75",
        "currency": "USD",
        "window_days": 30,
        "known_until": "2026-11-23T11:00:00.000000Z",
    }
    assert [each["model"] for each in listed] == ["cheaper", "small", "unknown"]
    assert listed[1] == {
        "provider": "openai",
        "model": "small",
        "direction": "raised",
        "valid_from_at": "2026-11-23T11:00:00.000000Z",
        "observed_at": "2026-11-23T11:00:00.000000Z",
        "rates_per_token": {"input": {"old": "0.0000025", "new": "0.000003"}},
        "requests": 3,
        "incomparable_requests": 0,
        "old_list_cost": "2.5",
        "new_list_cost": "3",
        "impact": "0.5",
        "entities": [{"entity": "team-search", "impact": "0.5"}],
    }


def test_a_change_is_told_once_on_the_day_after_if_the_day_s_digest_is_gone(tmp_path: Path) -> None:
    early, late = row("early", "1"), row("late", "2", known_at=AS_OF + HOUR)
    # Seen before the digest, let in by a person after it.
    accepted = row("accepted", "3", known_at=AS_OF + 2 * HOUR, observed_at=AS_OF - 2 * DAY)
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        first = changes(tmp_path, early)
        assert announce_price_changes(engine, first, as_of=AS_OF) == 1
        every = changes(tmp_path, early, late, accepted)
        sync_endpoints(engine, [endpoint(), endpoint("newcomer")])
        assert announce_price_changes(engine, every, as_of=AS_OF + 3 * HOUR) == 0
        assert announce_price_changes(engine, every, as_of=AS_OF + DAY) == 2
        # Nothing new is no message.
        assert announce_price_changes(engine, every, as_of=AS_OF + 2 * DAY) == 0
        told = {
            (each["subject_id"], each["endpoint_id"]): [
                change["model"] for change in json.loads(each["body"])["data"]["changes"]
            ]
            for each in rows(engine, outbox)
        }
    assert told == {
        ("2026-11-23", "finops"): ["early"],
        ("2026-11-24", "finops"): ["accepted", "late"],
        ("2026-11-24", "newcomer"): ["accepted", "late"],
    }


def test_a_digest_of_many_changes_is_cut_to_size_and_counts_them_all(tmp_path: Path) -> None:
    found = changes(tmp_path, *(row(f"model-{n:03}", f"{n}.5") for n in range(200)))
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        assert announce_price_changes(engine, found, as_of=AS_OF) == 1
        [message] = rows(engine, outbox)
    assert len(message["body"]) < MAX_BYTES
    data = json.loads(message["body"])["data"]
    # 0 + 1 + … + 199 and 200 halves
    assert (data["count"], data["impact"]) == (200, "20000")
    assert 20 < data["listed_count"] == len(data["changes"]) < 200
    assert data["changes"][0]["model"] == "model-199"
