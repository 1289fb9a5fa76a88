"""Keys that fail by themselves, and a gateway that fails as a whole: who waits for whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from budget_readings import AS_OF, key
from gateway_server import ADMIN_KEY, FakeGateway, gateway_server
from limited_place import LimitedPlace
from ops_stores import endpoint, opened_store

from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.governance.endpoints import sync_endpoints
from orchestration.ops.people import arm

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
