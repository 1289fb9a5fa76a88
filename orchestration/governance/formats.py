"""How a stored message is written for a reader: with a link to what explains it, or as Slack text.

The stored body is the message; these are pure functions of it, so that every try is the same bytes.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

# The table that explains an event, by the first word of its type.
MARTS = {
    "budget": "budgets/fct_budget_status",
    "gateway": "budgets/fct_enforcement_actions",
    "limit": "budgets/fct_enforcement_actions",
    "margin": "margin/fct_margin_monthly",
    "period": "spend/fct_corrections",
    "price": "trust/fct_price_changes",
    "snapshot": "core/published_snapshot",
    "source": "trust/fct_source_freshness",
    "spend": "spend/fct_entity_spend_daily",
    "test": "core/published_snapshot",
    "trust": "trust/fct_coverage_daily",
    "wallet": "wallets/fct_wallet_balances",
}
_MOST_LINES = 12
_MOST_CHARACTERS = 3_000


def with_link(body: bytes, *, page_url: str | None) -> bytes:
    """The body with `data.link`, where the endpoint names the page that explains events."""
    if page_url is None:
        return body
    message = json.loads(body)
    mart = MARTS[message["type"].partition(".")[0]]
    message["data"]["link"] = page_url.replace("{mart}", mart)
    return json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def written(body: bytes, *, format: str) -> bytes:
    """The bytes that are sent and signed."""
    return body if format == "standard" else slack_body(body)


def slack_body(body: bytes) -> bytes:
    """A message as Slack and what accepts its format show it: a heading and a few lines."""
    message = json.loads(body)
    data = message["data"]
    lines = [f"*{_plain(message['type'])}*{_subject(data)}", *_lines(data)]
    text = "\n".join(lines[:_MOST_LINES])[:_MOST_CHARACTERS]
    if data.get("link"):
        text += f"\n<{data['link']}|What explains it>"
    return json.dumps({"text": text}, ensure_ascii=False).encode()


def _subject(data: Mapping[str, Any]) -> str:
    for name in ("entity", "customer"):
        found = data.get(name)
        if isinstance(found, dict):
            return f" {_plain(found.get('name') or found.get('key'))}"
    for name in ("source", "key_alias", "gateway", "period", "day"):
        if isinstance(data.get(name), str):
            return f" {_plain(data[name])}"
    return ""


def _lines(data: Mapping[str, Any]) -> Iterator[str]:
    """Every figure of the message as `name: value`, the most telling first."""
    transition, use = data.get("transition"), data.get("use")
    if isinstance(transition, dict):
        late = " (late)" if data.get("late") else ""
        yield f"{_plain(transition['from'])} → {_plain(transition['to'])}{late}"
    if isinstance(use, dict) and use.get("used") is not None:
        of = f" of {_plain(use['amount'])}" if use.get("amount") else ""
        yield f"{_plain(use['used'])}{of} {_plain(use.get('currency') or '')}".rstrip()
    balance = data.get("balance")
    if isinstance(balance, dict) and balance.get("available") is not None:
        shown = f" ({_plain(balance['available_credits'])} credits)"
        in_credits = shown if balance.get("available_credits") else ""
        yield f"{_plain(balance['available'])} {_plain(balance['currency'])} left{in_credits}"
    for each in data.get("baselines") or ():
        yield f"{_plain(each['entity'])}: {_plain(each['transition']['to'])}"
    for each in data.get("drivers") or ():
        named = [_plain(value) for name, value in each.items() if name != "used" and value]
        yield f"• {', '.join(named)}: {_plain(each.get('used'))}"
    for name, value in data.items():
        if isinstance(value, str | int) and not isinstance(value, bool) and name != "link":
            yield f"{_plain(name)}: {_plain(value)}"
    margin = data.get("margin")
    if isinstance(margin, dict):
        yield ", ".join(f"{_plain(name)} {_plain(value)}" for name, value in margin.items())


def _plain(value: object) -> str:
    """Text in which Slack sees no markup, link or mention."""
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(text.split())
