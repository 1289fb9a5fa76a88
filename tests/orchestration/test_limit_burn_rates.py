"""A burn rate that acts blocks the keys of its node; only a person opens them again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from budget_readings import AS_OF, key, reading
from gateway_server import ADMIN_KEY, FakeGateway, gateway_server
from limited_place import LimitedPlace
from ops_stores import endpoint, opened_store

from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.governance.acting_alerts import with_acting_alerts
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import Evaluation, evaluate
from orchestration.governance.readings import read_alerts
from orchestration.ops.people import arm, set_override

NAMES = [f"{number:064x}" for number in range(40)]
RUNAWAY = "burn_rate:runaway"
HOUR = timedelta(hours=1)
ROW = """
    create table budgets.fct_alert_readings as
    select 'runaway' as alert_id, '{version}' as alert_version, 'burn_rate' as kind,
        'agent-coder' as entity_key, 'Coder' as entity_name, 'acme / agent-coder' as entity_path,
        'owner' as tree, timestamp '1970-01-01' as period_start_at,
        timestamp '9999-12-31' as period_end_at, {value}::decimal(38, 6) as value,
        null::decimal(38, 6) as info_threshold, 8::decimal(38, 6) as warning_threshold,
        20::decimal(38, 6) as critical_threshold, 0::decimal(38, 15) as hysteresis_ratio,
        null::bigint as renotify_minutes, 'hold' as on_no_data, '{{}}' as facts_json,
        '[]' as top_drivers_json, {paused} as is_paused, {action}::varchar as action,
        240::decimal(38, 15) as spent_usd, {moved_by}::varchar as moved_by,
        {held}::varchar as held_reason, null::varchar as recipients
"""


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with gateway_server({name: {} for name in NAMES}) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, gateway: FakeGateway) -> Iterator[LimitedPlace]:
    client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
    with opened_store(tmp_path) as engine:
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        place = LimitedPlace(engine, {"litellm-main": client})
        place.keys = (key(NAMES[0], of=RUNAWAY),)
        burns(place, "1")
        yield place
        client.close()


def burns(
    place: LimitedPlace,
    value: str,
    *,
    version: str = "v1",
    action: str = "'block'",
    paused: str = "false",
    moved_by: str = "null",
    held: str = "null",
) -> Evaluation:
    """The next snapshot: this many times the usual."""
    place.snapshot += 1
    said = {"version": version, "action": action, "paused": paused}
    with duckdb.connect() as marts:
        marts.execute("create schema budgets")
        marts.execute(ROW.format(value=value, moved_by=moved_by, held=held, **said))
        read = with_acting_alerts(reading(place.snapshot, keys=place.keys), marts)
        others = read_alerts(marts)
    return evaluate(place.engine, reading=read, others=others)


def test_a_key_that_burns_is_blocked_at_critical_and_not_before(place: LimitedPlace) -> None:
    burns(place, "19.9")
    assert place.results() == []
    burns(place, "20")
    assert place.results() == [("block", "verified")]


def test_a_rate_that_is_back_to_normal_opens_nothing(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    """Nor does another wording of the alert, nor that the key is no longer among those in use."""
    burns(place, "20")
    place.run()
    burns(place, "0")
    place.keys = ()
    burns(place, "0", version="v2")
    assert place.results(24 * HOUR) == []
    assert gateway.keys[NAMES[0]]["blocked"] is True


@pytest.mark.parametrize("way", ["command", "gateway"])
def test_a_person_opens_it_for_good_once_it_burns_no_more(
    place: LimitedPlace, gateway: FakeGateway, way: str
) -> None:
    burns(place, "20")
    place.run()
    if way == "gateway":
        gateway.person_sets(NAMES[0], blocked=False)
    else:
        until = AS_OF + 4 * HOUR
        where = {"gateway": "litellm-main", "key_ref": NAMES[0]}
        set_override(place.engine, **where, until=until, by="ada", reason="it was a test")
    place.run()
    burns(place, "1")
    assert place.results(24 * HOUR) == []
    assert gateway.keys[NAMES[0]]["blocked"] is False


def test_a_key_that_a_person_opened_and_that_still_burns_is_blocked_after_the_override(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    burns(place, "20")
    place.run()
    gateway.person_sets(NAMES[0], blocked=False)
    place.run()
    burns(place, "25")
    assert place.results(4 * HOUR - timedelta(seconds=1)) == []
    assert place.results(4 * HOUR) == [("block", "verified")]


@pytest.mark.parametrize("change", [{"action": "null"}, {"paused": "true"}])
def test_a_person_who_takes_the_action_off_opens_it(
    place: LimitedPlace, change: dict[str, str]
) -> None:
    burns(place, "20")
    place.run()
    burns(place, "20", **change)
    assert place.results() == [("release", "verified")]


def test_what_was_only_planned_goes_with_the_rate(place: LimitedPlace) -> None:
    """Nothing was blocked: there is nothing for a person to open."""
    burns(place, "20", held="'price to be reviewed: gpt-5'")
    assert place.results() == []
    burns(place, "1")
    assert {want["want"] for want in place.wants()} <= {"open"}


def test_each_time_that_a_block_is_held_is_told_once(place: LimitedPlace) -> None:
    sync_endpoints(place.engine, [endpoint()])
    for _ in range(2):
        burns(place, "20", held="'price to be reviewed: gpt-5'")
        burns(place, "21", held="'price to be reviewed: gpt-5'")
        burns(place, "1")
    assert place.messages() == ["limit.held", "limit.held"]


def test_forty_keys_that_burn_are_blocked_at_once(
    place: LimitedPlace, gateway: FakeGateway
) -> None:
    place.keys = tuple(key(name, of=RUNAWAY) for name in NAMES)
    assert burns(place, "20").approvals == ()
    assert place.results() == [("block", "verified")] * 40


def test_forty_keys_whose_tokens_do_not_burn_wait_for_a_yes(place: LimitedPlace) -> None:
    place.keys = tuple(key(name, of=RUNAWAY) for name in NAMES)
    assert burns(place, "20", moved_by="'price'").approvals == ("litellm-main-2",)
    burns(place, "1")
    assert place.results() == []
