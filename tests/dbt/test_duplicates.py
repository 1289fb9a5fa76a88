"""One request, one cost: what several sources tell of it is joined by ids, and one row carries it.

Each request stands on a call id of its own; passes go over all of them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from witnesses import LAYERS, Act, Witnesses, act

DAY = "2026-11-20"
NEXT_DAY = "2026-11-21"
NOON = f"{DAY}T12:00:00"


def from_proxy(key: str, call: str, at: str = NOON, **said: Any) -> Act:
    return act(key, "proxy", at, **{"call_id": call, "response_id": f"answer-{call}"} | said)


def from_tracer(key: str, call: str, at: str = NOON, **said: Any) -> Act:
    return act(key, "tracer", at, **{"call_id": call} | said)


def from_cloud(key: str, call: str, at: str = NOON, **said: Any) -> Act:
    ids = {"call_id": call, "provider_request_id": f"cloud-{call}"}
    return act(key, "cloud", at, **ids | said)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Witnesses:
    """One pass over requests of every kind; the source `spans` is covered by the proxy."""
    seen = Witnesses(tmp_path_factory.mktemp("seen") / "home", covered={"spans": "proxy"})
    seen.tell(
        from_proxy("three-p", "call-three"),
        from_tracer("three-t", "call-three"),
        from_cloud("three-c", "call-three"),
        # No gateway saw it; no id joins another.
        from_cloud("two-c", "call-two-"),
        from_tracer("two-t", "call-two-"),
        from_tracer("alone", "call-alone"),
        # The cloud knows no call id; the tracer knows both.
        from_proxy("linked-p", "call-linked", response_id=None),
        from_tracer("linked-t", "call-linked", provider_request_id="cloud-linked"),
        from_cloud("linked-c", "", provider_request_id="cloud-linked"),
        # The proxy waited no longer, the cloud served and bills.
        from_proxy("timeout-p", "call-timeout", input_tokens=0, output_tokens=0, status="error"),
        from_cloud("timeout-c", "call-timeout"),
        # The same, but the proxy had counted the prompt: it failed without a cost.
        from_proxy("aborted-p", "call-aborted", output_tokens=0, status="error"),
        from_cloud("aborted-c", "call-aborted"),
        # Covered: by an id of its own, by the rule alone, by the rule against the order.
        from_proxy("covered-p", "call-covered"),
        act("covered-s", "spans", NOON, request_id="call-covered"),
        act("ruled-s", "spans", NOON, request_id="call-that-no-other-saw"),
        from_tracer("beside-t", "call-beside"),
        act("beside-s", "spans", NOON, call_id="call-beside"),
        # The proxy answered a second call from its cache, with the answer's id.
        from_proxy("cached-p1", "call-cached-1", response_id="answer-cached"),
        from_proxy("cached-p2", "call-cached-2", response_id="answer-cached"),
        from_tracer("cached-t2", "call-cached-2", response_id="answer-cached"),
        # Two rows of one source are two acts, whatever they have in common.
        from_tracer("same-1", "call-same"),
        from_tracer("same-2", "call-same"),
        # Sums of many requests, and numbers that are no ids.
        from_proxy("sum-p", "call-of-a-sum"),
        from_cloud("sum-c", "call-of-a-sum", fidelity="aggregate"),
        from_proxy("short-p", "7", response_id=None),
        from_tracer("short-t", "7"),
        # Across midnight, and two days apart.
        from_proxy("night-p", "call-night", f"{DAY}T23:59:59"),
        from_tracer("night-t", "call-night", f"{NEXT_DAY}T00:00:01"),
        from_proxy("apart-p", "call-apart", f"{DAY}T23:59:59"),
        from_tracer("apart-t", "call-apart", "2026-11-22T00:00:01"),
        # A row that only informs carries nothing.
        from_proxy("told-p", "call-told", is_informational=True),
        from_tracer("told-t", "call-told"),
    )
    return seen


def test_exactly_one_row_of_a_request_carries_its_cost(seen: Witnesses) -> None:
    assert seen.costed() == sorted(
        [
            *(
                "three-p",
                "two-c",
                "aborted-c",
                "alone",
                "linked-p",
                "timeout-c",
                "covered-p",
                "beside-t",
            ),
            *("cached-p1", "cached-p2", "same-1", "same-2", "sum-p", "sum-c", "short-p"),
            *("short-t", "night-p", "apart-p", "apart-t", "told-t"),
        ]
    )


def test_each_shadow_says_which_row_carries_it_how_they_are_joined_and_why(seen: Witnesses) -> None:
    assert seen.shadows() == {
        "three-t": ("three-p", "call id", "evidence order"),
        "three-c": ("three-p", "call id", "evidence order"),
        "two-t": ("two-c", "call id", "evidence order"),
        "linked-t": ("linked-p", "call id", "evidence order"),
        "linked-c": ("linked-p", "row in between", "evidence order"),
        "timeout-p": ("timeout-c", "call id", "usage"),
        "aborted-p": ("aborted-c", "call id", "usage"),
        "covered-s": ("covered-p", "call id", "coverage rule"),
        "beside-s": ("beside-t", "call id", "coverage rule"),
        "cached-t2": ("cached-p2", "call id", "evidence order"),
        "night-t": ("night-p", "call id", "evidence order"),
        "told-p": ("told-t", "call id", "usage"),
    }


def test_what_a_rule_alone_covers_is_a_shadow_without_a_row_that_carries_it(
    seen: Witnesses,
) -> None:
    found = seen.rows(
        "select usage_key from intermediate.int_usage__deduplicated where is_shadow"
        " except select usage_key from intermediate.int_usage__matched"
    )
    assert found == [("ruled-s",)]


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[Any, ...]]:
    """A pass over acts that say more or less of who made them; columns of one of them."""
    seen = Witnesses(tmp_path_factory.mktemp("completed") / "home")
    seen.tell(
        from_proxy("p", "call-named", raw_team="search", tags="{}", input_tokens=100),
        from_cloud(
            "c",
            "call-named",
            raw_team="aws-team",
            raw_user="arn:aws:sts::1:assumed-role/proxy",
            tags='{"agent": "planner"}',
            raw_organization="123456789012",
            input_tokens=20,
            cache_read_tokens=70,
            cache_write_1h_tokens=10,
        ),
        from_tracer(
            "t",
            "call-named",
            raw_user="ada@acme.example",
            raw_customer="northwind",
            raw_feature="chat",
            session_id="s-1",
            tags='{"env": "prod"}',
            input_tokens=101,
        ),
        # The tracer counts another total: its split is of something else.
        from_proxy("p2", "call-counted-otherwise", input_tokens=100),
        from_tracer("t2", "call-counted-otherwise", input_tokens=50, cache_read_tokens=51),
        from_proxy("p3", "call-reasoning", output_tokens=10),
        from_tracer("t3", "call-reasoning", output_tokens=4, reasoning_tokens=6),
    )

    def said(key: str, columns: str) -> tuple[Any, ...]:
        [found] = seen.rows(
            f"select {columns} from intermediate.int_usage__deduplicated where usage_key = '{key}'"
        )
        return found

    return said


def test_the_carrier_takes_what_its_source_does_not_say_from_its_shadows(
    completed: Callable[[str, str], tuple[Any, ...]],
) -> None:
    # Of two shadows the one in the better place is asked first; the role that called the cloud is
    # no user, and an account is the cloud's own.
    who = "raw_team, raw_user, raw_customer, raw_feature, raw_agent, session_id, tags"
    assert completed("p", who) == (
        *("search", "ada@acme.example", "northwind", "chat", "planner", "s-1"),
        '{"agent": "planner"}',
    )
    assert completed("p", "raw_organization, raw_workspace") == (None, None)
    assert completed("t", "raw_team, raw_agent, tags") == (None, None, '{"env": "prod"}')


def test_a_finer_split_of_the_same_total_is_taken(
    completed: Callable[[str, str], tuple[Any, ...]],
) -> None:
    split = "input_tokens, cache_read_tokens, cache_write_1h_tokens, total_input_tokens"
    assert completed("p", split) == (20, 70, 10, 100)
    assert completed("p2", split) == (100, 0, 0, 100)
    assert completed("p3", "output_tokens, reasoning_tokens, total_output_tokens") == (4, 6, 10)


def test_a_carrier_is_placed_by_what_it_says_then(
    completed: Callable[[str, str], tuple[Any, ...]],
) -> None:
    names = (
        "source_instance raw_organization raw_workspace raw_team raw_user raw_customer raw_agent"
        " raw_application raw_feature raw_key_hash raw_key_alias"
    )
    key = "md5(concat_ws('|', " + ", ".join(f"coalesce({n}, '|~')" for n in names.split()) + "))"
    [same, model_key] = completed("p", f"identity_key = {key}, model_key")
    assert (same, model_key) == (True, "model of proxy")
    assert completed("t", "identity_key") == ("of t",)


def test_the_order_of_evidence_is_declared_by_layer_or_by_source(tmp_path: Path) -> None:
    seen = Witnesses(tmp_path / "home", order=["cloud", "observability", "gateway"])
    # The proxy, the worst witness, is the only one that both others share an id with.
    acts = [
        from_proxy("p", "call-ordered", provider_request_id="cloud-ordered"),
        from_tracer("t", "call-ordered"),
        from_cloud("c", "", provider_request_id="cloud-ordered"),
    ]
    seen.tell(*acts)

    assert seen.costed() == ["c"]
    assert seen.shadows() == {
        "p": ("c", "provider request id", "evidence order"),
        "t": ("c", "row in between", "evidence order"),
    }

    # Another declaration moves the cost of what is there already.
    seen.declare(order=["observability", "gateway", "cloud"], version="edited")
    seen.tell()
    assert seen.costed() == ["t"]


def test_days_follow_what_other_sources_tell_of_their_requests(tmp_path: Path) -> None:
    seen = Witnesses(tmp_path / "home")
    seen.tell(
        from_proxy("night-p", "call-night", f"{DAY}T23:59:59"),
        from_proxy("other-day", "call-other", "2026-11-10T12:00:00"),
        from_cloud("gone-c", "call-gone", NOON),
        from_tracer("gone-t", "call-gone", NOON),
        from_proxy("gone-p", "call-gone", f"{NEXT_DAY}T00:00:01"),
    )
    assert seen.costed() == ["gone-p", "night-p", "other-day"]

    # A shadow on the next day names the user; the proxy takes a row back.
    seen.tell(
        from_tracer("night-t", "call-night", f"{NEXT_DAY}T00:00:01", raw_user="ada"),
        from_proxy(
            "gone-p", "call-gone", f"{NEXT_DAY}T00:00:01", is_removed=True, row_hash="removed"
        ),
    )
    assert seen.costed() == ["gone-c", "night-p", "other-day"]
    assert seen.rows(
        "select raw_user from intermediate.int_usage__deduplicated where usage_key = 'night-p'"
    ) == [("ada",)]
    touched = seen.rows(
        "select usage_on::varchar, reason from intermediate.int_usage__touched_days"
        " where pass_id = 2 order by all"
    )
    assert touched == [(DAY, "shadow"), (NEXT_DAY, "usage")]

    # The shadow is corrected: it was of another call.
    seen.tell(
        from_tracer(
            *("night-t", "call-nobody-else", f"{NEXT_DAY}T00:00:01"),
            raw_user="ada",
            row_hash="corrected",
        )
    )
    assert seen.costed() == ["gone-c", "night-p", "night-t", "other-day"]
    assert seen.rows(
        "select raw_user from intermediate.int_usage__deduplicated where usage_key = 'night-p'"
    ) == [(None,)]

    built_bit_by_bit = seen.contents()
    seen.build_anew()
    assert seen.contents() == built_bit_by_bit


def test_a_source_that_is_declared_no_more_leaves_the_cost_to_what_is(tmp_path: Path) -> None:
    seen = Witnesses(tmp_path / "home")
    seen.tell(
        from_proxy("three-p", "call-three"),
        from_tracer("three-t", "call-three"),
        from_cloud("three-c", "call-three"),
        from_proxy("alone-p", "call-alone"),
        # The cloud refused what the proxy then served otherwise: only the proxy's row can carry it.
        from_proxy("refused-p", "call-refused"),
        from_cloud("refused-c", "call-refused", output_tokens=0, status="error"),
    )
    assert seen.costed() == ["alone-p", "refused-p", "three-p"]

    seen.declare(layers={name: LAYERS[name] for name in ("cloud", "tracer")}, version="without")
    seen.tell()

    assert seen.costed() == ["alone-p", "refused-p", "three-c"]
    assert seen.shadows() == {
        "three-p": ("three-c", "call id", "removed source"),
        "three-t": ("three-c", "call id", "evidence order"),
        "refused-c": ("refused-p", "call id", "usage"),
    }


def test_the_layer_that_a_source_is_declared_with_counts_but_for_what_a_sender_says_of_its_event(
    tmp_path: Path,
) -> None:
    seen = Witnesses(tmp_path / "home")
    acts = [
        from_tracer("t", "call-first"),
        from_cloud("c", "call-first"),
        act("s", "spans", NOON, call_id="call-second", evidence_layer="gateway"),
        from_cloud("c2", "call-second"),
    ]
    seen.tell(*acts)
    assert seen.costed() == ["c", "s"]

    # The tracer is a proxy of its own here; the spans say of each event what it is.
    seen.declare(layers=LAYERS | {"tracer": "gateway", "spans": "saas"}, version="declared")
    seen.tell()

    assert seen.costed() == ["s", "t"]
    layers = "select usage_key, evidence_layer from intermediate.int_usage__deduplicated"
    assert dict(seen.rows(layers)) == {
        "t": "gateway",
        "c": "provider_log",
        "s": "gateway",
        "c2": "provider_log",
    }


def test_the_id_of_a_key_stays_with_the_gateway_that_knows_it(tmp_path: Path) -> None:
    seen = Witnesses(tmp_path / "home")
    key = {"raw_key_hash": "88dc28d0f030c55e", "raw_key_alias": "coder"}
    seen.tell(
        from_proxy("p", "call-served", output_tokens=0, status="error", **key),
        from_cloud("c", "call-served"),
    )

    assert seen.costed() == ["c"]
    assert seen.rows(
        "select raw_key_hash, raw_key_alias from intermediate.int_usage__deduplicated"
        " where usage_key = 'c'"
    ) == [(None, "coder")]
