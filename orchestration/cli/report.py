"""The demo's report: what the published marts say, in the terminal."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson
import requests
from rich.console import Console
from rich.table import Table

from orchestration.warehouse import published_marts

_SOURCES = """
    select
        source_instance, rows_read_count, rows_loaded_count, rows_rejected_count, acts_count,
        usage_age_ms, last_usage_at, fidelity, covered_by
    from trust.fct_source_freshness
    order by source_instance
"""
_TEAMS = """
    select
        e.entity_path,
        sum(s.consolidated_effective_cost_usd),
        sum(s.consolidated_estimated_cost_usd),
        sum(s.consolidated_requests_count)
    from spend.fct_entity_spend_daily as s
    inner join core.dim_entities as e on s.entity_key = e.entity_key
    where s.tree = 'owner' and e.entity_type not in ('user', 'agent', 'application')
    group by e.entity_path
    order by e.entity_path
"""
_MODELS = """
    select
        coalesce(model_id, provider || '/' || model_served || ' (no price)') as model,
        coalesce(cost_basis, 'unpriced') as basis,
        sum(effective_cost_usd) as cost_usd,
        sum(total_tokens),
        count(*)
    from core.fct_usage
    where status = 'ok' and not is_gateway_cache_hit
    group by model, basis
    order by cost_usd desc nulls last, model
    limit 20
"""
_CUSTOMERS = """
    select
        customer_key,
        coalesce(income_basis, '-') as basis,
        income_usd,
        effective_cost_usd,
        margin_usd,
        margin_ratio
    from margin.fct_margin_monthly
    where month_on = (select max(month_on) from margin.fct_margin_monthly)
    order by effective_cost_usd desc, customer_key
    limit 15
"""
_BUDGETS = """
    select budget_id, used, estimated, amount, unit, mode, matched_level
    from budgets.fct_budget_status
    where is_current
    order by entity_path
"""
_TRUST = """
    select
        count(*),
        sum(total_tokens),
        sum(effective_cost_usd),
        sum(case when is_costed and effective_cost_usd is null then total_tokens else 0 end),
        sum(estimated_cost_usd),
        sum(case when entity_key like '%-unattributed' then 1 else 0 end),
        sum(case when customer_key like '%-unattributed' then 1 else 0 end)
    from core.fct_usage
"""
_WRITTEN_KEYS = """
    select key_ref
    from budgets.fct_enforcement_actions
    where not is_dry_run
    group by key_ref
    order by min(sequence_number)
"""
_LEVEL_STYLE = {"critical": "bold red", "warning": "yellow", "info": "cyan", "ok": "green"}


def print_report(console: Console, *, marts: Path, vendors: Any) -> None:
    """Spend, budgets, webhooks and blocked keys, and where to look next."""
    with published_marts(marts) as connection:
        for table in (
            _sources(connection),
            *_spend(connection),
            _budgets(connection),
            _webhooks(vendors),
            _keys(connection, vendors),
            _trust(connection),
        ):
            console.print()
            console.print(table)
    console.print(f"\n  Marts for SQL and BI: {marts}", highlight=False, soft_wrap=True)
    console.print("  The graph, the runs, the checks: [bold]make ui[/]\n")


def _sources(connection: duckdb.DuckDBPyConnection) -> Table:
    """What each source gave; lag is from its last act to the time of the pass."""
    table = _table("Sources", "source", "read", "loaded", "rejected", "acts", "lag", "last", "kind")
    for (
        name,
        read,
        loaded,
        rejected,
        acts,
        lag_ms,
        last,
        fidelity,
        covered_by,
    ) in connection.execute(_SOURCES).fetchall():
        table.add_row(
            name,
            *(f"{count:,}" for count in (read, loaded, rejected, acts)),
            _lag(lag_ms),
            f"{last:%m-%d %H:%M}" if last else "-",
            f"{fidelity or '-'}{f', shown by {covered_by}' if covered_by else ''}",
        )
    return table


def _lag(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "-"
    minutes = milliseconds // 60_000
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _spend(connection: duckdb.DuckDBPyConnection) -> list[Table]:
    teams = _table("Spend by team (45 days, with everything below)", "owner", "$", "≈$", "#")
    for path, cost, estimated, count in connection.execute(_TEAMS).fetchall():
        name = "  " * path.count(" / ") + path.split(" / ")[-1]
        teams.add_row(name, _usd(cost), _usd(estimated), f"{count:,}")
    models = _table("Spend by model (served calls)", "model", "basis", "$", "tokens", "#")
    for model, basis, cost, tokens, count in connection.execute(_MODELS).fetchall():
        models.add_row(model, basis, _usd(cost), f"{tokens:,}", f"{count:,}")
    customers = _table(
        "Customers this month (largest 15)",
        "customer",
        "basis",
        "income $",
        "cost $",
        "margin $",
        "%",
    )
    for customer, basis, income, cost, margin, ratio in connection.execute(_CUSTOMERS).fetchall():
        share = "" if ratio is None else f"{ratio:.1%}"
        customers.add_row(customer, basis, _usd(income), _usd(cost), _usd(margin), share)
    return [teams, models, customers]


def _budgets(connection: duckdb.DuckDBPyConnection) -> Table:
    table = _table("Budgets of this month", "budget", "used", "≈", "of", "in", "mode", "state")
    for name, used, estimated, amount, unit, mode, level in connection.execute(_BUDGETS).fetchall():
        state = f"[{_LEVEL_STYLE[level]}]{level}[/]"
        table.add_row(name, _usd(used), _usd(estimated), _usd(amount), unit, mode, state)
    return table


def _webhooks(vendors: Any) -> Table:
    """What the receiver holds, as it arrived."""
    table = _table("Webhooks delivered (Standard Webhooks, signed)", "id", "event", "about")
    received = requests.get(f"{vendors.webhook_url}/finops", timeout=30).json()
    for delivery in received:
        body = orjson.loads(delivery["body"])
        shown_id = f"{delivery['headers']['webhook-id'][:16]}…"
        table.add_row(shown_id, body["type"], _about(body["data"]))
    return table


def _about(data: dict[str, Any]) -> str:
    if "baselines" in data:
        return f"first findings, in one message: {data['count']}"
    if "transition" in data:
        name = data["alert_id"].partition(":")[2]
        return f"{name} {data['transition']['from']} → {data['transition']['to']}"
    if "margin" in data:
        loss, month = Decimal(data["margin"]["margin"]), data["period"]["start_at"][:7]
        return f"{data['customer']['key']} at a loss in {month}: {loss:,.2f} USD"
    return str(data.get("key_alias") or data.get("gateway") or "")


def _keys(connection: duckdb.DuckDBPyConnection, vendors: Any) -> Table:
    table = _table("Keys limited at the gateway", "key", "blocked", "answer to a call now")
    for (key_ref,) in connection.execute(_WRITTEN_KEYS).fetchall():
        info = requests.get(
            f"{vendors.litellm_url}/key/info",
            params={"key": key_ref},
            headers={"Authorization": f"Bearer {vendors.master_key}"},
            timeout=30,
        ).json()["info"]
        answer = "served"
        if info["blocked"]:
            # Only a blocked key is tried: a call that is served would be usage.
            refusal = requests.post(
                f"{vendors.litellm_url}/chat/completions",
                json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]},
                headers={"Authorization": f"Bearer sk-sandbox-{info['key_alias']}"},
                timeout=30,
            )
            answer = f"{refusal.status_code} {refusal.json()['error']['message']}"
        table.add_row(info["key_alias"], str(info["blocked"]), answer)
    return table


def _trust(connection: duckdb.DuckDBPyConnection) -> Table:
    row = connection.execute(_TRUST).fetchone()
    rejected = connection.execute(
        "select coalesce(sum(rows_count), 0) from trust.fct_rejected_rows"
    ).fetchone()
    if row is None or rejected is None:
        raise LookupError("the published marts are empty")
    acts, tokens, cost, unpriced, estimated, no_owner, no_customer = row
    table = _table("How far to trust it", "figure", "value")
    table.add_row("acts metered", f"{acts:,}")
    table.add_row("effective cost", f"$ {_usd(cost)}")
    table.add_row("tokens without a price", f"{_share(unpriced, tokens)}, ≈ $ {_usd(estimated)}")
    table.add_row("acts without a known owner", _share(no_owner, acts))
    table.add_row("acts without a known customer", _share(no_customer, acts))
    table.add_row("records rejected", f"{rejected[0]:,}")
    return table


def _table(title: str, *columns: str) -> Table:
    """Headers: `$` known cost, `≈$` conservative estimate of what is unpriced, `#` requests."""
    names = {"$": "cost $", "≈$": "unpriced ≈ $", "≈": "of it ≈", "#": "requests"}
    counts = ("used", "of", "tokens", "read", "loaded", "rejected", "acts", "lag")
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        justify = "right" if column in (*names, *counts) else "left"
        table.add_column(names.get(column, column), justify=justify, overflow="fold")
    return table


def _usd(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"


def _share(part: Any, whole: Any) -> str:
    return f"{float(part or 0) / float(whole):.2%}" if whole else "-"
