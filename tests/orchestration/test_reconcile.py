"""Limits at a gateway on loopback: what ought to be blocked is, what is not ours stays."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from budget_readings import AS_OF, KEY, OTHER_KEY, budget, key, reading
from gateway_server import ADMIN_KEY, FakeGateway, gateway_server
from ops_stores import endpoint, opened_store, rows
from sqlalchemy import Engine

from orchestration.enforcement.gateway import KeyState
from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.enforcement.reconcile import Action, reconcile
from orchestration.enforcement.rules import Rules
from orchestration.governance.budgets import KeyOfBudget
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.ops.people import arm, disarm, set_override
from orchestration.ops.tables import applied_limit, enforcement_action, outbox, override

HOUR = timedelta(hours=1)


@dataclass
class Place:
    engine: Engine
    gateway: FakeGateway
    client: LiteLLMGateway
    snapshot: int = 0
    keys: tuple[KeyOfBudget, ...] = field(default_factory=lambda: (key(),))

    def used(self, amount: str, **changes: object) -> None:
        self.snapshot += 1
        row = budget(amount, **changes)
        evaluate(self.engine, reading=reading(self.snapshot, row, keys=self.keys))

    def run(self, after: timedelta = timedelta(0), *, connected: bool = True) -> list[Action]:
        return reconcile(
            self.engine,
            gateways={"litellm-main": self.client} if connected else {},
            now=lambda: AS_OF + after,
            by="test",
            rules=Rules(),
        )

    def results(self, after: timedelta = timedelta(0)) -> list[tuple[str, str]]:
        return [(action.step, action.result) for action in self.run(after)]

    def messages(self) -> list[str]:
        found = sorted(rows(self.engine, outbox), key=lambda row: row["ordinal"])
        return [row["event_type"] for row in found if row["event_type"].startswith("limit.")]

    @property
    def is_blocked(self) -> bool:
        return self.gateway.keys[KEY]["blocked"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    keys = {KEY: {"metadata": {"owner": "platform"}}, OTHER_KEY: {}}
    with opened_store(tmp_path) as engine, gateway_server(keys) as gateway:
        sync_endpoints(engine, [endpoint()])
        client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
        yield Place(engine, gateway, client)
        client.close()


@pytest.fixture
def armed(place: Place) -> Place:
    arm(place.engine, "litellm-main", by="ada", now=AS_OF)
    return place


def test_a_dry_run_plans_what_armed_would_write_and_only_reads(place: Place) -> None:
    place.used("1000")
    (planned,) = place.run()
    assert (planned.step, planned.result, planned.dry_run) == ("block", "planned", True)
    place.run()
    assert place.gateway.count("GET") == 2 and place.gateway.count("POST") == 0
    assert len(rows(place.engine, enforcement_action)) == 1
    assert rows(place.engine, applied_limit) == []
    arm(place.engine, "litellm-main", by="ada", now=AS_OF)
    (done,) = place.run()
    assert (done.step, done.key_ref) == (planned.step, planned.key_ref)
    assert place.is_blocked


def test_without_a_client_the_plan_is_made_and_nothing_is_called(armed: Place) -> None:
    armed.used("1000")
    (planned,) = armed.run(connected=False)
    assert (planned.step, planned.dry_run) == ("block", True)
    assert armed.gateway.calls == []


def test_a_block_is_written_once_read_back_and_told(armed: Place) -> None:
    armed.used("1000")
    assert armed.results() == [("block", "verified")]
    assert armed.results(HOUR) == []
    assert armed.gateway.writes == [(KEY, True)]
    assert armed.gateway.keys[KEY]["metadata"] == {
        "owner": "platform",
        "managed_by": "meterhouse",
        "generation": 1,
    }
    assert [row["result"] for row in rows(armed.engine, enforcement_action)] == [
        "intent",
        "verified",
    ]
    assert armed.messages() == ["limit.applied"]
    told = next(row for row in rows(armed.engine, outbox) if row["subject_kind"] == "limit")
    assert KEY not in told["body"].decode()
    assert json.loads(told["body"])["data"]["key_alias"] == "agent-coder-key"


def test_recovery_releases_what_is_ours_and_takes_our_mark_off(armed: Place) -> None:
    armed.used("1000")
    armed.run()
    armed.used("10")
    assert armed.results() == [("release", "verified")]
    assert not armed.is_blocked
    assert armed.gateway.keys[KEY]["metadata"] == {"owner": "platform"}
    assert armed.messages() == ["limit.applied", "limit.released"]
    calls = len(armed.gateway.calls)
    assert armed.results(HOUR) == [] and len(armed.gateway.calls) == calls


def test_a_disarmed_gateway_keeps_its_blocks_and_gets_no_write(armed: Place) -> None:
    armed.used("1000")
    armed.run()
    disarm(armed.engine, "litellm-main", by="ada", now=AS_OF)
    armed.used("10")
    assert armed.results() == [("release", "planned")]
    assert armed.is_blocked and armed.gateway.count("POST") == 1


def test_a_block_of_somebody_else_is_foreign_and_is_never_undone(armed: Place) -> None:
    armed.gateway.person_sets(KEY, blocked=True)
    armed.used("1000")
    assert armed.results() == [("foreign", "recorded")]
    armed.used("10")
    armed.run(HOUR)
    assert armed.is_blocked and armed.gateway.count("POST") == 0


def test_a_person_who_opens_a_key_is_respected_for_four_hours(armed: Place) -> None:
    armed.used("1000")
    armed.run()
    armed.gateway.person_sets(KEY, blocked=False)
    assert armed.results() == [("override", "recorded")]
    for minutes in range(10, 60, 10):
        assert armed.results(timedelta(minutes=minutes)) == []
    assert armed.gateway.count("POST") == 1
    assert armed.results(4 * HOUR - timedelta(seconds=1)) == []
    assert armed.results(4 * HOUR) == [("block", "verified")]
    assert armed.gateway.writes == [(KEY, True), (KEY, True)]
    assert armed.messages() == ["limit.applied", "limit.override_detected", "limit.applied"]


def test_another_tenth_of_the_amount_ends_an_override(armed: Place) -> None:
    armed.used("1000")
    armed.run()
    armed.gateway.person_sets(KEY, blocked=False)
    armed.run()
    armed.used("1099.99")
    assert armed.results(HOUR) == []
    armed.used("1100")
    assert armed.results(HOUR) == [("block", "verified")]


def test_an_override_at_the_command_line_lifts_our_block_until_it_ends(armed: Place) -> None:
    armed.used("1000")
    armed.run()
    set_override(
        armed.engine,
        gateway="litellm-main",
        key_ref=KEY,
        until=AS_OF + HOUR,
        by="ada",
        reason="demo",
    )
    assert armed.results() == [("release", "verified")]
    assert armed.results(timedelta(minutes=59)) == []
    assert armed.results(HOUR) == [("block", "verified")]
    assert rows(armed.engine, override) == []


class WatchedClient(LiteLLMGateway):
    """Lets somebody do something as a key has just been read."""

    def __init__(self, gateway: FakeGateway, meanwhile: Callable[[], None]) -> None:
        super().__init__(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
        self.meanwhile = meanwhile

    def read(self, target: str) -> KeyState:
        state = super().read(target)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return state


def keeps_open(place: Place, until: timedelta) -> None:
    set_override(
        place.engine,
        gateway="litellm-main",
        key_ref=KEY,
        until=AS_OF + until,
        by="ada",
        reason="demo",
    )


@pytest.mark.parametrize("had_one", [False, True])
def test_an_override_that_is_set_while_a_run_is_under_way_stands(
    armed: Place, had_one: bool
) -> None:
    """Of an earlier one nothing is left but its record."""
    armed.used("1000")
    if had_one:
        keeps_open(armed, HOUR)
    armed.client = WatchedClient(armed.gateway, lambda: keeps_open(armed, 6 * HOUR))
    assert armed.results(2 * HOUR) == []
    assert armed.results(5 * HOUR) == []
    assert armed.gateway.count("POST") == 0
    assert [row["until"] for row in rows(armed.engine, override)] == [AS_OF + 6 * HOUR]
    assert armed.results(6 * HOUR) == [("block", "verified")]


def test_an_override_that_is_set_as_an_opened_key_is_found_keeps_its_length(armed: Place) -> None:
    armed.used("1000")
    armed.run()
    armed.gateway.person_sets(KEY, blocked=False)
    armed.client = WatchedClient(armed.gateway, lambda: keeps_open(armed, 24 * HOUR))
    assert armed.results() == [("override", "recorded")]
    assert [row["until"] for row in rows(armed.engine, override)] == [AS_OF + 24 * HOUR]


def test_a_person_who_blocks_again_after_us_keeps_the_key_blocked(armed: Place) -> None:
    armed.used("1000")
    armed.run()
    armed.gateway.person_sets(KEY, blocked=False)
    armed.run()
    armed.gateway.person_sets(KEY, blocked=True)
    assert armed.results(HOUR) == [("foreign", "recorded")]
    armed.used("10")
    armed.run(2 * HOUR)
    assert armed.is_blocked


def test_changed_metadata_is_no_longer_ours_to_undo(armed: Place) -> None:
    armed.used("1000")
    armed.run()
    armed.gateway.keys[KEY]["metadata"] = {}
    armed.used("10")
    assert armed.results() == [("foreign", "recorded")]
    assert armed.is_blocked


def test_a_write_that_works_and_times_out_is_read_back_and_not_repeated(armed: Place) -> None:
    armed.used("1000")
    armed.gateway.faults["/key/update"] = ["drop"]
    assert armed.results() == [("block", "verified")]
    assert armed.results(HOUR) == []
    assert armed.gateway.count("POST") == 1


@pytest.mark.parametrize("fault", [429, 500, 503])
def test_a_write_that_fails_is_tried_again_by_the_next_run(armed: Place, fault: int) -> None:
    armed.used("1000")
    armed.gateway.faults["/key/update"] = [fault]
    assert armed.results() == [("block", "unknown")]
    assert armed.results() == [("block", "verified")]
    assert armed.gateway.writes == [(KEY, True)]
    assert armed.messages() == ["limit.applied"]


def test_an_old_value_on_the_first_read_back_is_pending_then_verified(armed: Place) -> None:
    armed.used("1000")
    armed.gateway.before_write[KEY] = dict(armed.gateway.keys[KEY])
    armed.gateway.faults["/key/info"] = ["stale", "stale", "stale"]
    assert armed.results() == [("block", "pending_verify")]
    assert armed.messages() == []
    assert armed.results(timedelta(seconds=30)) == [("wait", "recorded")]
    assert armed.results(timedelta(seconds=60)) == [("adopt", "recorded")]
    assert armed.messages() == ["limit.applied"]
    assert armed.gateway.count("POST") == 1


def test_a_refused_credential_ends_the_run_after_one_call(armed: Place) -> None:
    armed.keys = (key(), key(OTHER_KEY, alias="other"))
    armed.used("1000")
    armed.client.close()
    armed.client = LiteLLMGateway(armed.gateway.url, admin_key="wrong", changed_by="meterhouse")
    (found,) = armed.run()
    assert (found.result, found.why) == ("refused", "GET key/info: 401")
    assert len(armed.gateway.calls) == 1
    assert rows(armed.engine, applied_limit) == []


def test_a_key_the_gateway_does_not_know_is_gone_and_never_made(armed: Place) -> None:
    armed.keys = (key("c" * 64, alias="gone"),)
    armed.used("1000")
    assert armed.results() == [("gone", "recorded")]
    assert armed.results(HOUR) == []
    assert armed.gateway.calls == [("GET", "/key/info")]


def test_held_data_stop_a_block_that_was_wanted_before(place: Place) -> None:
    place.used("1000")
    arm(place.engine, "litellm-main", by="ada", now=AS_OF)
    place.used("1000", held_reason="source litellm-main is stale")
    assert place.results() == [("hold", "recorded")]
    assert place.results(HOUR) == []
    place.used("1000")
    assert place.results(HOUR) == [("block", "verified")]


def test_forty_runaway_keys_are_blocked_in_one_run(tmp_path: Path) -> None:
    names = [f"{number:064x}" for number in range(40)]
    with (
        opened_store(tmp_path) as engine,
        gateway_server({name: {} for name in names}) as gateway,
    ):
        client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
        place = Place(engine, gateway, client, keys=tuple(key(name) for name in names))
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        place.used("10")
        place.used("1000")
        assert place.results() == [("block", "verified")] * 40
        assert sorted(gateway.writes) == [(name, True) for name in names]
        client.close()


def test_a_raised_budget_releases(armed: Place) -> None:
    armed.used("1000")
    armed.run()
    armed.used("1000", budget_version="v2", critical_threshold=Decimal(2000))
    assert armed.results() == [("release", "verified")]


def test_neither_the_admin_key_nor_a_key_hash_is_shown(armed: Place) -> None:
    armed.used("1000")
    armed.gateway.faults["/key/info"] = [500]
    (found,) = armed.run()
    assert found.why == "GET key/info: 500"
    assert ADMIN_KEY not in repr(armed.client) and armed.gateway.url not in repr(armed.client)
