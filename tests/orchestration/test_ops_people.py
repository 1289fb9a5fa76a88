"""Leases, arming, approvals and the `ops` commands that a person types."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from budget_readings import AS_OF, KEY, budget, key, reading
from click.testing import CliRunner
from ops_stores import endpoint, opened_store, rows, store_url
from sqlalchemy import Engine, update

from orchestration.cli.ops import ops
from orchestration.governance.endpoints import EndpointConfig, sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.ops import lease, people
from orchestration.ops.store import reading as reading_store
from orchestration.ops.store import writing
from orchestration.ops.tables import approval, arming, outbox, override

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("METERHOUSE_OPS_URL", store_url(tmp_path))
    monkeypatch.setenv("METERHOUSE_NOW", "2026-11-23T12:00:00Z")
    with opened_store(tmp_path) as engine:
        yield engine


def take(engine: Engine, holder: str, at: datetime) -> int | None:
    with writing(engine) as connection:
        return lease.acquire(connection, name="turn", holder=holder, now=at, length=MINUTE)


def test_a_turn_is_one_holders_until_it_ends_or_is_released(store: Engine) -> None:
    assert take(store, "one", NOW) == 1
    assert take(store, "two", NOW + MINUTE / 2) is None
    assert take(store, "two", NOW + MINUTE) == 2
    with writing(store) as connection:
        assert not lease.still_held(connection, name="turn", fence=1)
        assert not lease.extend(connection, name="turn", fence=1, until=NOW + 9 * MINUTE)
        assert lease.extend(connection, name="turn", fence=2, until=NOW + 9 * MINUTE)
        lease.release(connection, name="turn", fence=1, now=NOW)
    assert take(store, "three", NOW + 2 * MINUTE) is None
    with writing(store) as connection:
        lease.release(connection, name="turn", fence=2, now=NOW + 2 * MINUTE)
    assert take(store, "three", NOW + 2 * MINUTE) == 3


def test_the_turn_of_a_process_that_is_dead_is_free_at_once(store: Engine) -> None:
    child = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(child, 0)
    here = lease.holder_name().rpartition("#")[0]
    assert take(store, f"{here}#{child}", NOW) == 1
    assert lease.is_dead(f"{here}#{child}")
    assert not lease.is_dead(lease.holder_name())
    assert not lease.is_dead(f"another-host#{child}") and not lease.is_dead("worker")
    assert take(store, "two", NOW) == 2


def test_arming_says_who_and_when_and_disarming_keeps_the_record(store: Engine) -> None:
    assert people.arm(store, "litellm-main", by="ada", now=NOW)
    assert not people.arm(store, "litellm-main", by="alan", now=NOW)
    assert people.disarm(store, "litellm-main", by="alan", now=NOW + MINUTE)
    assert not people.disarm(store, "litellm-main", by="alan", now=NOW + MINUTE)
    assert people.arm(store, "litellm-main", by="ada", now=NOW + 2 * MINUTE)
    found = [(row["armed_by"], row["disarmed_by"]) for row in rows(store, arming)]
    assert found == [("ada", "alan"), ("ada", None)]


def test_replay_takes_either_an_id_or_a_time(store: Engine) -> None:
    with pytest.raises(ValueError, match="either"):
        people.replay(store, message_id=None, since=None)


def test_an_endpoint_id_with_a_full_stop_or_without_one_address_is_refused() -> None:
    with pytest.raises(ValueError, match="full stop"):
        endpoint("a.b")
    with pytest.raises(ValueError, match="either url or url_env"):
        EndpointConfig(id="a", secret_env="S")


def command(*arguments: str) -> str:
    done = CliRunner().invoke(ops, list(arguments), env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def breach(store: Engine) -> None:
    sync_endpoints(store, [endpoint()])
    evaluate(store, reading=reading(1, budget("10")))
    evaluate(store, reading=reading(2, budget("1000")))


def test_the_plan_shows_what_ought_to_stand(store: Engine) -> None:
    assert "No budget asks for a limit" in command("plan")
    breach(store)
    shown = command("plan")
    assert "agent-coder-key" in shown and "dry run" in shown and KEY not in shown


def test_arm_and_disarm_by_command(store: Engine) -> None:
    breach(store)
    assert command("arm", "litellm-main", "--by", "ada") == "litellm-main is armed.\n"
    assert "No budget asks for a limit at litellm-min" in command("arm", "litellm-min")
    with reading_store(store) as connection:
        assert people.armed_gateways(connection) == {"litellm-main", "litellm-min"}
    assert command("disarm", "litellm-main") == "litellm-main is disarmed.\n"


def test_override_by_alias_says_until_when(store: Engine) -> None:
    breach(store)
    shown = command("override", "litellm-main", "agent-coder-key", "--for", "2h", "--by", "ada")
    assert "stays open until 2026-11-23 14:00 UTC" in shown
    (found,) = rows(store, override)
    assert (found["key_ref"], found["by"]) == (KEY, "ada")
    done = CliRunner().invoke(ops, ["override", "litellm-main", "nobody"])
    assert done.exit_code == 1 and "no limit is known" in done.output
    for length in ("4", "15d"):
        done = CliRunner().invoke(ops, ["override", "litellm-main", KEY, "--for", length])
        assert done.exit_code == 2


def test_a_limit_that_waits_is_approved_by_command_for_a_time(store: Engine) -> None:
    done = CliRunner().invoke(ops, ["approve", "litellm-main-2"])
    assert done.exit_code == 1 and "no limit waits" in done.output
    shared = key(own=0.5)
    evaluate(store, reading=reading(1, budget("10")))
    evaluate(store, reading=reading(2, budget("1000"), keys=(shared,)))
    waits_for = "litellm-main-2-1"
    shown = command("plan")
    assert f"block (approve {waits_for})" in shown and "50%" in shown
    assert "1 limit(s) until 2026-11-24 12:00 UTC" in command("approve", waits_for, "--by", "ada")
    assert command("approve", waits_for) == f"{waits_for} was approved before.\n"
    (found,) = rows(store, approval)
    assert found["expires_at"] == AS_OF + timedelta(hours=24)


def test_an_action_that_set_no_limit_cannot_be_undone(store: Engine) -> None:
    done = CliRunner().invoke(ops, ["undo", "1"])
    assert done.exit_code == 1 and "set no limit" in done.output


def test_replay_by_command(store: Engine) -> None:
    breach(store)
    with writing(store) as connection:
        connection.execute(update(outbox).values(status="dead"))
    assert command("replay", "--since", "2026-11-23") == "1 message(s) wait to be sent again.\n"
    assert command("replay", "--since", "2026-11-23") == "0 message(s) wait to be sent again.\n"
    assert CliRunner().invoke(ops, ["replay"]).exit_code == 2
