"""`meterhouse ops undo`: the last action that holds on a key is undone, an older one is refused."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from budget_readings import AS_OF, KEY, key
from click.testing import CliRunner
from gateway_server import ADMIN_KEY, FakeGateway, gateway_server
from limited_place import LimitedPlace
from ops_stores import opened_store, rows, store_url

from orchestration.cli.ops import ops
from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.ops.people import arm
from orchestration.ops.tables import enforcement_action

MINUTE = timedelta(minutes=1)


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with gateway_server({KEY: {}}) as running:
        yield running


@pytest.fixture
def place(
    tmp_path: Path, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LimitedPlace]:
    monkeypatch.setenv("METERHOUSE_OPS_URL", store_url(tmp_path))
    monkeypatch.setenv("METERHOUSE_NOW", "2026-11-23T12:00:00Z")
    client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
    with opened_store(tmp_path) as engine:
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        yield LimitedPlace(engine, {"litellm-main": client}, keys=(key(),))
        client.close()


def undo(action: int) -> str:
    return CliRunner().invoke(ops, ["undo", str(action)]).output


def number(place: LimitedPlace, verb: str, result: str) -> int:
    """The last action of the log that is such."""
    found = rows(place.engine, enforcement_action)
    return max(each["seq"] for each in found if (each["verb"], each["result"]) == (verb, result))


def test_the_limit_that_stands_is_undone(place: LimitedPlace, gateway: FakeGateway) -> None:
    place.used("1000")
    place.run()
    assert undo(1) == "Error: action 1 set no limit\n"  # the intent
    assert "agent-coder-key at litellm-main stays open until" in undo(2)
    assert place.results() == [("release", "verified")]
    assert gateway.keys[KEY]["blocked"] is False
    assert undo(2) == (
        "Error: action 2 holds no more: action 4 (release) came after it; it left nothing to undo\n"
    )


def test_an_older_action_does_not_undo_the_limit_of_now(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.used("1000")
    place.run()
    place.used("10")
    place.run()
    place.used("1000")
    place.run()
    assert undo(2) == ("Error: action 2 holds no more: action 6 (block) came after it; undo 6\n")
    assert place.results() == [] and gateway.keys[KEY]["blocked"]
    assert "stays open" in undo(6)


def test_a_limit_that_was_found_in_place_is_undone_by_that_finding(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """The first read-back shows the key as it was before."""
    place.used("1000")
    gateway.before_write[KEY] = dict(gateway.keys[KEY])
    gateway.faults["/key/info"] = ["stale", "stale"]
    assert place.results() == [("block", "pending_verify")]
    assert place.results(MINUTE) == [("adopt", "recorded")]
    adopted = number(place, "adopt", "recorded")
    assert undo(number(place, "block", "pending_verify")).endswith(f"undo {adopted}\n")
    assert "stays open" in undo(adopted)
    assert place.results(MINUTE) == [("release", "verified")]


def test_a_limit_that_a_person_lifted_leaves_nothing_to_undo(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.used("1000")
    place.run()
    gateway.person_sets(KEY, blocked=False)
    place.run()
    assert "(override) came after it; it left nothing to undo" in undo(2)
