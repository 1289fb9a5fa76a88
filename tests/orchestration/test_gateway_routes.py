"""A gateway's credential needs the routes that docs/limits.md lists; no other is ever called."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from gateway_server import ADMIN_KEY, gateway_server
from portkey_server import API_KEY, PAGES, portkey_server
from scripted_server import Answer, Asked, scripted_server

from orchestration.assets.gateways import client_of
from orchestration.enforcement.gateway import Gateway, Kind, Wanted
from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.enforcement.openrouter import OpenRouterGateway
from orchestration.enforcement.portkey import PortkeyGateway

PAGE = Path(__file__).resolve().parents[2] / "docs" / "limits.md"
Route = tuple[str, str]
REMAINING = {"remaining_usd": Decimal(30), "amount_usd": Decimal(100)}
WANTED = [Wanted(kind=kind, requests_per_minute=10, **REMAINING) for kind in get_args(Kind)]


def listed(gateway: str) -> set[Route]:
    """The routes of a gateway's row on the page."""
    (row,) = re.findall(rf"^\| {gateway} \| (.*) \|$", PAGE.read_text("utf-8"), re.M)
    return set(re.findall(r"`([A-Z]+) (/[^`]+)`", row))


def limit_and_release(client: Gateway, targets: Sequence[str]) -> set[str]:
    """Every limit that the gateway has is set on each target, changed, and taken off again."""
    had: set[str] = set()
    for target in targets:
        for wanted in WANTED:
            before = client.read(target)
            settings = client.settings_for(target, wanted, current=before)
            if settings is None:
                continue
            had.add(wanted.kind)
            client.write(target, settings, mark=1, current=before)
            tighter = {
                name: value - 1 if type(value) in (int, float) and value > 1 else value
                for name, value in settings.items()
            }
            client.write(target, tighter, mark=2, current=client.read(target))
            back = {name: before.settings.get(name) for name in settings}
            client.write(target, back, mark=None, current=client.read(target))
            assert client.read(target).settings == before.settings
    return had


def test_a_client_can_do_nothing_that_is_not_driven_here() -> None:
    done = {"settle", "mark_left", "read", "settings_for", "write", "close"}
    for client, more in (
        (LiteLLMGateway, set()),
        (OpenRouterGateway, set()),
        (PortkeyGateway, {"plan_allows"}),
    ):
        assert {name for name in vars(client) if not name.startswith("_")} == done | more


def test_litellm() -> None:
    targets = ["a" * 64, "team:t", "user:u", "customer:c"]
    with gateway_server({targets[0]: {}}) as server:
        for target in targets[1:]:
            server.add(target)
        client = client_of("litellm", base_url=server.url, admin_key=ADMIN_KEY)
        assert limit_and_release(client, targets) == set(get_args(Kind))
        client.close()
    assert set(server.calls) == listed("LiteLLM")


def test_openrouter() -> None:
    keys = {"ab" * 32: {"disabled": False, "limit": None, "limit_reset": None, "usage": 3.5}}

    def answer(asked: Asked) -> Answer:
        key = keys.get(asked.path.removeprefix("/keys/"))
        if key is None or asked.method not in ("GET", "PATCH"):
            return Answer(status=404)
        if asked.method == "PATCH":
            key |= asked.json()
        return Answer({"data": key})

    with scripted_server(answer) as server:
        client = client_of("openrouter", base_url=server.url, admin_key="sk-or-admin")
        found = limit_and_release(client, list(keys))
        client.close()
    assert found == {"block", "zero_budget", "cap_to_remaining"}
    called = {(asked.method, asked.path.replace("ab" * 32, "{hash}")) for asked in server.asked}
    assert called == listed("OpenRouter")


@pytest.mark.parametrize("has_policies", [True, False])
def test_portkey(has_policies: bool) -> None:
    key = json.loads((PAGES / "api_key.json").read_bytes())
    with portkey_server(keys=[key]) as server:
        if not has_policies:
            server.policies = None
        client = client_of("portkey", base_url=server.url, admin_key=API_KEY)
        assert isinstance(client, PortkeyGateway)
        client.plan_allows()
        found = limit_and_release(client, [key["id"]])
        client.close()
    called = {
        (asked.method, re.sub(r"/(policy-\d+)", "/{id}", asked.path.replace(key["id"], "{id}")))
        for asked in server.script.asked
    }
    if has_policies:
        assert found == {"cap_to_remaining", "rate_limit"}
        assert called == listed("Portkey")
    else:
        assert found == {"rate_limit"}
        assert called < listed("Portkey")
