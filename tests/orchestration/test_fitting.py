"""No name, alias or list is so long that a message could not be written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from budget_readings import AS_OF, budget, key, reading
from ops_stores import endpoint, opened_store, rows
from sqlalchemy import Engine

from orchestration.governance.bodies import single_body
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.ops.tables import outbox


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        yield engine


def told(engine: Engine, event_type: str) -> list[dict[str, Any]]:
    found = [row["body"] for row in rows(engine, outbox) if row["event_type"] == event_type]
    assert all(len(body) < 20_000 for body in found)
    return [json.loads(body)["data"] for body in found]


def test_sixty_keys_with_long_names_do_not_stop_an_evaluation_that_holds_them(
    engine: Engine,
) -> None:
    keys = tuple(key(f"{n:064x}", alias=f"{n:02} " + "x" * 420) for n in range(60))
    held = budget("1000", held_reason="source litellm-main is stale")
    evaluate(engine, reading=reading(1, budget("10"), keys=keys))
    evaluate(engine, reading=reading(2, held, keys=keys))
    [data] = told(engine, "limit.held")
    assert (len(data["keys"]), data["keys_left_out"]) == (20, 40)
    assert data["keys"][0].endswith("x…") and len(data["keys"][0]) == 200
    assert data["why"] == "source litellm-main is stale"


def test_sixty_keys_with_long_names_do_not_stop_an_evaluation_that_asks_for_a_yes(
    engine: Engine,
) -> None:
    keys = tuple(key(f"{n:064x}", alias=f"{n:02} " + "x" * 420, own=0.1) for n in range(60))
    evaluate(engine, reading=reading(1, budget("10"), keys=keys))
    evaluate(engine, reading=reading(2, budget("1000"), keys=keys))
    asked = told(engine, "limit.held")
    assert {data["approve_with"] for data in asked} == {
        f"meterhouse ops approve {data['approval']}" for data in asked
    }
    assert sum(data["keys_count"] for data in asked) == 60


def test_a_name_as_long_as_a_book_is_cut_in_every_message_about_it(engine: Engine) -> None:
    long = "é" * 30_000
    row = {"entity_name": long, "entity_path": " / ".join(["acme", long, "agent-coder"])}
    evaluate(engine, reading=reading(1, budget("1000", **row)))
    evaluate(engine, reading=reading(2, budget("0", **row)))
    [first] = told(engine, "budget.threshold_reached")
    assert first["listed_count"] == 1 and first["baselines"][0]["path"].endswith("…")
    [recovered] = told(engine, "budget.threshold_recovered")
    assert recovered["entity"]["name"] == "é" * 399 + "…"
    assert recovered["transition"]["to"] == "ok"


def test_what_fits_no_other_way_leaves_whole_fields_out_and_names_them() -> None:
    body = single_body(
        "limit.requested", timestamp=AS_OF, data={"why": "x" * 30_000, "key": "k" * 500, "n": [1]}
    )
    assert json.loads(body)["data"] == {
        "key": "k" * 500,
        "n_left_out": 1,
        "n": [],
        "fields_left_out": ["why"],
    }
