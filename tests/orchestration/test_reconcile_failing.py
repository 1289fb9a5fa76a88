"""Keys that fail by themselves, and a gateway that fails as a whole: who waits for whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from budget_readings import AS_OF, key
from click.testing import CliRunner
from gateway_server import ADMIN_KEY, FakeGateway, gateway_server
from limited_place import LimitedPlace
from ops_stores import body, endpoint, opened_store, rows, store_url

from orchestration.cli import main
from orchestration.enforcement.credentials import refused_gateways
from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.governance.endpoints import sync_endpoints
from orchestration.ops.people import arm
from orchestration.ops.store import reading as reading_store
from orchestration.ops.tables import outbox

NAMES = [f"{number:064x}" for number in range(6)]


@contextmanager
def armed_place(folder: Path) -> Iterator[tuple[LimitedPlace, FakeGateway]]:
    """Six keys of one budget, which is used up."""
    with opened_store(folder) as engine, gateway_server({name: {} for name in NAMES}) as gateway:
        sync_endpoints(engine, [endpoint()])
        client = LiteLLMGateway(gateway.url, admin_key=ADMIN_KEY, changed_by="meterhouse")
        keys = tuple(key(name, alias=f"key-{name[-1]}") for name in NAMES)
        place = LimitedPlace(engine, {"litellm-main": client}, keys=keys)
        arm(engine, "litellm-main", by="ada", now=AS_OF)
        place.used("10")
        place.used("1000")
        yield place, gateway
        client.close()


@pytest.mark.parametrize("status", [400, 422])
def test_keys_that_are_refused_by_themselves_keep_no_other_key_open(
    tmp_path: Path, status: int
) -> None:
    with armed_place(tmp_path) as (place, gateway):
        gateway.broken = {name: status for name in NAMES[:5]}
        assert [result for _, result in place.results()] == ["unknown"] * 5 + ["verified"]
        assert gateway.writes == [(NAMES[5], True)]


def test_three_keys_that_always_fail_keep_no_other_key_open_for_long(tmp_path: Path) -> None:
    with armed_place(tmp_path) as (place, gateway):
        gateway.broken = {name: 500 for name in NAMES[:3]}
        assert [result for _, result in place.results()] == ["unknown"] * 3
        # Those that failed last time come last.
        assert [result for _, result in place.results()] == ["verified"] * 3 + ["unknown"] * 3
        assert sorted(gateway.writes) == [(name, True) for name in NAMES[3:]]


def test_each_key_that_failed_is_tried_first_in_its_turn(tmp_path: Path) -> None:
    with armed_place(tmp_path) as (place, gateway):
        gateway.broken = {name: 500 for name in NAMES}
        for _ in range(4):
            place.run()
        gateway.broken = {name: 500 for name in NAMES[:3]}
        for _ in range(4):
            place.run()
        assert sorted(gateway.writes) == [(name, True) for name in NAMES[3:]]


def test_failures_that_are_not_in_a_row_end_no_run(tmp_path: Path) -> None:
    with armed_place(tmp_path) as (place, gateway):
        gateway.broken = {name: 503 for name in NAMES[::2]}
        assert [result for _, result in place.results()] == ["unknown", "verified"] * 3


def test_a_gateway_that_does_not_answer_is_left_after_three_calls(tmp_path: Path) -> None:
    with armed_place(tmp_path) as (place, gateway):
        gateway.broken = {name: 503 for name in NAMES}
        for run in range(1, 4):
            assert [result for _, result in place.results()] == ["unknown"] * 3
            assert len(gateway.calls) == 3 * run


def test_a_key_that_answers_again_is_found_to(tmp_path: Path) -> None:
    with armed_place(tmp_path) as (place, gateway):
        place.run()
        gateway.broken = {NAMES[0]: 500}
        assert place.results() == [("read", "unknown")]
        gateway.broken = {}
        assert place.results() == [("read", "recorded")]
        assert place.results() == []


def told(place: LimitedPlace) -> list[str]:
    found = sorted(rows(place.engine, outbox), key=lambda row: row["ordinal"])
    return [row["event_type"] for row in found if row["subject_kind"] == "gateway"]


def refused(place: LimitedPlace) -> dict[str, str]:
    with reading_store(place.engine) as connection:
        return refused_gateways(connection, ["litellm-main", "other"], now=AS_OF)


def test_a_refused_credential_is_told_once_an_outage_with_one_call_a_run(tmp_path: Path) -> None:
    with armed_place(tmp_path) as (place, gateway):
        sync_endpoints(place.engine, [endpoint(), endpoint("part", entities=("team-search",))])
        client = place.gateways
        wrong = LiteLLMGateway(gateway.url, admin_key="wrong", changed_by="meterhouse")
        for outage in (1, 2):
            place.gateways = {"litellm-main": wrong}
            calls = len(gateway.calls)
            for _ in range(3):
                assert place.results() == [("read", "refused")]
            assert len(gateway.calls) == calls + 3
            assert refused(place) == {"litellm-main": "GET key/info: 401"}
            assert told(place) == ["gateway.refused", "gateway.recovered"] * (outage - 1) + [
                "gateway.refused"
            ]
            place.gateways = client
            place.run()
            assert refused(place) == {}
            assert told(place) == ["gateway.refused", "gateway.recovered"] * outage
        wrong.close()


def test_a_refusal_says_which_gateway_and_what_it_answered(tmp_path: Path) -> None:
    with armed_place(tmp_path) as (place, gateway):
        gateway.broken = {name: 403 for name in NAMES}
        place.run()
        [row] = [row for row in rows(place.engine, outbox) if row["subject_kind"] == "gateway"]
        assert body(row)["data"] == {
            "gateway": "litellm-main",
            "answer": "GET key/info: 403",
            "as_of": "2026-11-23T12:00:00.000000Z",
        }
        found = CliRunner().invoke(main, ["doctor"], env=_environ(tmp_path))
        assert found.exit_code == 1
        assert "refuses our credential (GET key/info: 403)" in found.output


def _environ(folder: Path) -> dict[str, str]:
    (folder / "enforcement.yaml").write_text(
        "gateways:\n  - {id: litellm-main, system: litellm, base_url_env: A, admin_key_env: B}\n",
        encoding="utf-8",
    )
    (folder / "entities.yaml").write_text(
        "entities:\n  - {id: acme, type: organisation}\n", encoding="utf-8"
    )
    (folder / "sources.yaml").write_text(
        "sources:\n  - {id: litellm-main, system: litellm, evidence_layer: gateway,"
        " base_url_env: C, api_key_env: D}\n",
        encoding="utf-8",
    )
    return {
        "METERHOUSE_HOME": str(folder / "home"),
        "METERHOUSE_CONFIG": str(folder),
        "METERHOUSE_OPS_URL": store_url(folder),
        "COLUMNS": "200",
    }
