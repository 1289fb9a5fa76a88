"""The demo's report: what the published marts say, in the terminal."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import requests
from rich.console import Console
from rich.table import Table

from orchestration.warehouse import published_marts

_TEAMS = """
    select e.entity_path, sum(s.consolidated_effective_cost_usd), sum(s.consolidated_requests_count),
        sum(s.consolidated_estimated_cost_usd)
    from spend.fct_entity_spend_daily as s
    inner join core.dim_entities as e on s.entity_key = e.entity_key
    where s.tree = 'owner' and e.entity_type in ('organisation', 'workspace', 'team', 'unattributed')
    group by e.entity_path order by e.entity_path
"""
_MODELS = """
    select provider, coalesce(model_id, model_served || ' (no price)'),
        coalesce(cost_basis, 'unpriced'), count(*), sum(total_tokens), sum(effective_cost_usd)
    from core.fct_usage
    group by provider, coalesce(model_id, model_served || ' (no price)'), coalesce(cost_basis, 'unpriced')
    order by sum(effective_cost_usd) desc nulls last limit 18
"""
_CUSTOMERS = """
    select customer_key, coalesce(feature_key, '-'), sum(effective_cost_usd), count(*)
    from core.fct_usage
    group by customer_key, coalesce(feature_key, '-')
    order by sum(effective_cost_usd) desc nulls last limit 15
"""
_BUDGETS = """
    select budget_id, entity_path, used_usd, estimated_usd, amount_usd, matched_level, mode
    from budgets.fct_budget_status where is_current order by entity_path
"""
_SHARES = """
    select count(*), sum(total_tokens), sum(effective_cost_usd),
        sum(case when is_costed and effective_cost_usd is null then total_tokens else 0 end),
        sum(estimated_cost_usd),
        sum(case when entity_key like '%-unattributed' or customer_key like '%-unattributed'
            then 1 else 0 end)
    from core.fct_usage
"""
_LEVEL_STYLE = {"critical": "bold red", "warning": "yellow", "info": "cyan", "ok": "green"}


def print_report(console: Console, *, marts: Path, vendors: Any) -> None:
    """Spend, budgets, webhooks and blocked keys, and where to look next."""
    with published_marts(marts) as connection:
        _spend(console, connection)
        _budgets(console, connection)
        _webhooks(console, vendors)
        _keys(console, connection, vendors)
        _trust(console, connection)
    console.print(f"\n  Marts for SQL and BI: {marts}", highlight=False, soft_wrap=True)
    console.print("  Look around: [bold]make ui[/bold]\n")


def _spend(console: Console, connection: duckdb.DuckDBPyConnection) -> None:
    console.print()
    table = _table(
        "Spend by team (owner tree, consolidated)", "node", "cost $", "requests", "unpriced ≈ $"
    )
    for path, cost, count, estimated in connection.execute(_TEAMS).fetchall():
        depth = path.count(" / ")
        table.add_row(
            "  " * depth + path.split(" / ")[-1], _usd(cost), f"{count:,}", _usd(estimated)
        )
    console.print(table)
    table = _table(
        "Spend by model", "provider", "model", "cost basis", "requests", "tokens", "cost $"
    )
    for provider, model, basis, count, tokens, cost in connection.execute(_MODELS).fetchall():
        table.add_row(provider, model, basis, f"{count:,}", f"{tokens:,}", _usd(cost))
    console.print(table)
    table = _table(
        "Spend by customer and feature (largest 15)", "customer", "feature", "cost $", "requests"
    )
    for customer, feature, cost, count in connection.execute(_CUSTOMERS).fetchall():
        table.add_row(customer, feature, _usd(cost), f"{count:,}")
    console.print(table)


def _budgets(console: Console, connection: duckdb.DuckDBPyConnection) -> None:
    table = _table(
        "Budgets of this month",
        "budget",
        "used $",
        "of which estimated",
        "amount $",
        "state",
        "mode",
    )
    for name, _, used, estimated, amount, level, mode in connection.execute(_BUDGETS).fetchall():
        style = _LEVEL_STYLE[level]
        table.add_row(name, _usd(used), _usd(estimated), _usd(amount), f"[{style}]{level}[/]", mode)
    console.print(table)


def _webhooks(console: Console, vendors: Any) -> None:
    received = requests.get(f"{vendors.webhook_url}/finops", timeout=30).json()
    deliveries = received["deliveries"] if isinstance(received, dict) else received
    table = _table("Webhooks delivered (signed, Standard Webhooks)", "id", "event", "about")
    for delivery in deliveries:
        body = delivery["body"] if isinstance(delivery["body"], dict) else _json(delivery["body"])
        data = body["data"]
        about = data.get("budget", {}).get("id") if isinstance(data.get("budget"), dict) else None
        headers = {name.lower(): value for name, value in dict(delivery["headers"]).items()}
        table.add_row(
            headers["webhook-id"][:20] + "…",
            body["type"],
            str(about or data.get("summary") or _what(data)),
        )
    console.print(table)


def _json(text: str) -> dict[str, Any]:
    return requests.models.complexjson.loads(text)


def _what(data: dict[str, Any]) -> str:
    listed = next((value for value in data.values() if isinstance(value, list)), None)
    return f"{len(listed)} first findings" if listed else ", ".join(sorted(data))[:60]


def _keys(console: Console, connection: duckdb.DuckDBPyConnection, vendors: Any) -> None:
    actions = connection.execute(
        "select key_ref, verb, result from budgets.fct_enforcement_actions"
        " where not is_dry_run order by sequence_number"
    ).fetchall()
    table = _table(
        "Keys at the gateway", "key", "blocked", "what the gateway answers to a call now"
    )
    for key_ref in dict.fromkeys(action[0] for action in actions):
        info = requests.get(
            f"{vendors.litellm_url}/key/info",
            params={"key": key_ref},
            headers={"Authorization": f"Bearer {vendors.master_key}"},
            timeout=30,
        ).json()["info"]
        answer = requests.post(
            f"{vendors.litellm_url}/chat/completions",
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]},
            headers={"Authorization": f"Bearer sk-sandbox-{info['key_alias']}"},
            timeout=30,
        )
        said = answer.json().get("error", {}).get("message", "served")
        table.add_row(info["key_alias"], str(info["blocked"]), f"{answer.status_code} {said}")
    console.print(table)


def _trust(console: Console, connection: duckdb.DuckDBPyConnection) -> None:
    row = connection.execute(_SHARES).fetchone()
    assert row is not None
    events, tokens, cost, unpriced_tokens, estimated, unattributed = row
    rejected = connection.execute(
        "select coalesce(sum(rows_count), 0) from trust.fct_rejected_rows"
    ).fetchone()
    table = _table("How far to trust it", "question", "answer")
    table.add_row("acts metered", f"{events:,}")
    table.add_row("effective cost", f"$ {_usd(cost)}")
    table.add_row(
        "tokens without a price",
        f"{_share(unpriced_tokens, tokens)} (estimated at $ {_usd(estimated)})",
    )
    table.add_row("acts without an owner or a known customer", _share(unattributed, events))
    table.add_row("records rejected", f"{rejected[0] if rejected else 0:,}")
    console.print(table)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        is_number = column.endswith("$") or column in ("requests", "tokens", "of which estimated")
        table.add_column(column, justify="right" if is_number else "left")
    return table


def _usd(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"


def _share(part: Any, whole: Any) -> str:
    return f"{float(part or 0) / float(whole):.2%}" if whole else "-"
