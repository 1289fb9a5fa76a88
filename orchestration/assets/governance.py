"""What is done about the marts: alerts evaluated, webhooks delivered, gateway limits set.

Thin: reading the published marts, calling governance and enforcement, and showing what they did.
"""

import os
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import dagster as dg
from dagster_dlt import build_dlt_asset_specs
from sqlalchemy import Engine

from ingestion.pipeline import few_collections, pipeline_for
from orchestration import settings
from orchestration.assets.gateways import declared_gateways, override_rules
from orchestration.assets.raw import RawTranslator
from orchestration.automation import DISPATCH_POOL, SNAPSHOT_OVERDUE_AFTER, WAREHOUSE_POOL
from orchestration.declared import declared_config
from orchestration.enforcement.command import announce_overdue
from orchestration.enforcement.reconcile import reconcile
from orchestration.governance.acting_alerts import with_acting_alerts
from orchestration.governance.budgets import read_budgets
from orchestration.governance.closes import announce_closes
from orchestration.governance.endpoints import EndpointConfig, sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.governance.losses import announce_losses, read_losses, unwatched_losses
from orchestration.governance.overdue import announce_overdue_snapshot
from orchestration.governance.price_changes import announce_price_changes, read_price_changes
from orchestration.governance.readings import read_alerts
from orchestration.governance.sources import announce_sources, read_sources, unwatched_sources
from orchestration.governance.wallet_alerts import wallet_alerts
from orchestration.governance.wallet_facts import read_wallets
from orchestration.governance.wallet_keeping import keep_ledger
from orchestration.governance.webhooks import dispatch
from orchestration.ops.lease import holder_name
from orchestration.ops.mirror import ops_source
from orchestration.ops.store import open_store
from orchestration.warehouse import published_marts, writer_lock

WALLETS_KEY = dg.AssetKey("wallet_ledger")
ALERTS_KEY = dg.AssetKey("alert_transitions")
DELIVERIES_KEY = dg.AssetKey("webhook_deliveries")
LIMITS_KEY = dg.AssetKey("gateway_limits")
_DELIVERIES_A_RUN = 1_000


def outbound_assets(
    *, published: dg.AssetKey, condition: dg.AutomationCondition | None
) -> list[dg.AssetsDefinition]:
    """The outbound assets, downstream of the published marts."""
    common: dict[str, Any] = {
        "group_name": "outbound",
        "owners": ["team:data-platform"],
        "automation_condition": condition,
        # Nothing is told to a run: what acts is armed by a person, in the operational store.
        "config_schema": {},
    }

    @dg.asset(key=WALLETS_KEY, deps=[published], kinds={"sqlite"}, **common)
    def wallet_ledger() -> dg.MaterializeResult:
        """What use drew from which grant of which wallet; closed months stay as they are."""
        with published_marts(settings.marts_path()) as connection:
            done = keep_ledger(_store(), connection, read_wallets(connection))
        return dg.MaterializeResult(
            metadata={
                "snapshot": done.snapshot_id,
                "is_ignored": done.is_ignored,
                "changed_postings": done.changed_postings,
                "refused_entries": list(done.refused),
                "balances": _table(
                    {
                        "wallet": each.wallet_id,
                        "ongoing_usd": f"{each.ongoing:.2f}",
                        "settled_usd": f"{each.settled:.2f}",
                        "debt_usd": f"{each.debt:.2f}",
                    }
                    for each in done.balances
                ),
            }
        )

    @dg.asset(key=ALERTS_KEY, deps=[published, WALLETS_KEY], kinds={"sqlite"}, **common)
    def alert_transitions() -> dg.MaterializeResult:
        """Changes of alert states at the newest snapshot, with their messages, in one commit."""
        engine = _store()
        config = declared_config()
        if config is not None:
            sync_endpoints(engine, [EndpointConfig(**_fields(each)) for each in config.endpoints])
        with published_marts(settings.marts_path()) as connection:
            reading = with_acting_alerts(read_budgets(connection), connection)
            losses = read_losses(connection)
            price_changes = read_price_changes(connection)
            wallets = read_wallets(connection)
            sources = read_sources(connection)
            alerts = read_alerts(connection)
        # Before anything that could fail: that nothing is published any more must be told.
        messages = announce_overdue_snapshot(
            engine,
            as_of=reading.as_of,
            now=settings.now(),
            overdue_after=SNAPSHOT_OVERDUE_AFTER,
        )
        targets = {each.id: each.targets for each in config.gateways} if config else {}
        done = evaluate(
            engine,
            reading=reading.limiting(targets),
            others={**wallet_alerts(engine, wallets), **alerts},
            exempt=config.exempt_keys if config is not None else (),
        )
        messages += announce_losses(engine, unwatched_losses(losses, alerts), as_of=reading.as_of)
        messages += announce_price_changes(engine, price_changes, as_of=reading.as_of)
        messages += announce_sources(
            engine, unwatched_sources(sources, alerts), as_of=reading.as_of
        )
        messages += announce_closes(engine, as_of=reading.as_of)
        return dg.MaterializeResult(
            metadata={
                "changes": _table(
                    {
                        "alert": each.alert_id,
                        "from": each.from_level,
                        "to": each.to_level,
                        "value": f"{each.value:.2f}" if each.value is not None else "",
                        "limit": f"{each.limit_value:.2f}" if each.limit_value is not None else "",
                        "unit": each.unit,
                        "baseline": each.baseline,
                        "late": each.late,
                    }
                    for each in done.transitions
                ),
                "snapshot": done.snapshot_id,
                "is_ignored": done.is_ignored,
                "transitions": len(done.transitions),
                "messages": done.messages + messages,
                "stale_sources": [each.source_instance for each in sources if each.is_stale],
                "customers_at_a_loss": sorted({each.customer_key for each in losses}),
                "data_errors": list(done.data_errors),
                "held": list(done.held),
                "approvals_asked": list(done.approvals),
            }
        )

    @dg.asset(key=DELIVERIES_KEY, deps=[ALERTS_KEY], kinds={"http"}, pool=DISPATCH_POOL, **common)
    def webhook_deliveries() -> dg.MaterializeResult:
        """Messages that were due, sent and recorded."""
        done = dispatch(
            _store(),
            now=settings.now,
            environ=os.environ,
            limit=_DELIVERIES_A_RUN,
            worker=holder_name(),
            jitter=random.Random(),
        )
        return dg.MaterializeResult(
            metadata={
                "attempts": _table(
                    {
                        "message": each.message_id,
                        "endpoint": each.endpoint_id,
                        "event": each.event_type,
                        "attempt": each.n,
                        "answer": each.status_code or each.error_class or "",
                        "status": each.status,
                    }
                    for each in done.attempts
                ),
                "delivered": done.count("delivered"),
                "to_be_retried": done.count("pending"),
                "dead": done.count("dead"),
                "needs_a_person": list(done.alerts),
                "not_ready": dict(done.not_ready),
            }
        )

    @dg.asset(key=LIMITS_KEY, deps=[ALERTS_KEY], kinds={"litellm"}, **common)
    def gateway_limits() -> dg.MaterializeResult:
        """Keys brought to what budgets ask for: a plan, unless a person armed the gateway."""
        config = declared_config()
        engine = _store()
        gateways = (
            declared_gateways(config, engine=engine, environ=os.environ, now=settings.now)
            if config
            else {}
        )
        actions = reconcile(
            engine,
            gateways=gateways,
            now=settings.now,
            by="meterhouse",
            rules=override_rules(config),
        )
        refused = [
            f"{each.gateway} refuses our credential: {each.why}"
            for each in actions
            if each.result == "refused"
        ]
        unacknowledged, _ = announce_overdue(engine, now=settings.now())
        return dg.MaterializeResult(
            metadata={
                "plan": _table(
                    {
                        "gateway": each.gateway,
                        "key": each.key_alias or each.key_ref[:12],
                        "step": each.step,
                        "result": each.result,
                        "dry_run": each.dry_run,
                        "why": each.why,
                    }
                    for each in actions
                ),
                "needs_a_person": [*unacknowledged, *refused],
                "actions": len(actions),
                "written": sum(1 for each in actions if not each.dry_run),
            }
        )

    return [wallet_ledger, alert_transitions, webhook_deliveries, gateway_limits]


def mirror_assets(*, condition: dg.AutomationCondition | None) -> dg.AssetsDefinition:
    """What the ops store recorded, appended to raw_ops."""
    specs = build_dlt_asset_specs(
        dlt_source=ops_source(_store),
        dlt_pipeline=pipeline_for("ops", instance=None, home=settings.home()),
        dagster_dlt_translator=RawTranslator(
            system="ops", group="mirror/raw", kinds={"sqlite"}, freshness=None
        ),
    )

    @dg.multi_asset(
        name="mirror_ops",
        specs=[
            spec.replace_attributes(
                deps=[ALERTS_KEY, DELIVERIES_KEY, LIMITS_KEY], automation_condition=condition
            )
            for spec in specs
        ],
        pool=WAREHOUSE_POOL,
        required_resource_keys={"dlt"},
    )
    def mirror_ops(context: dg.AssetExecutionContext) -> Iterator[Any]:
        with writer_lock(settings.home()), few_collections():
            yield from context.resources.dlt.run(
                context=context,
                dlt_source=ops_source(_store),
                dlt_pipeline=pipeline_for("ops", instance=None, home=settings.home()),
            )

    return mirror_ops


def _store() -> Engine:
    return open_store(settings.ops_url())


def _fields(declared: Any) -> dict[str, Any]:
    """What an endpoint of the config says that the store keeps."""
    return {
        each.name: getattr(declared, each.name)
        for each in fields(EndpointConfig)
        if hasattr(declared, each.name)
    }


def _table(rows: Iterable[Mapping[str, Any]]) -> dg.MetadataValue:
    listed = [dg.TableRecord(dict(row)) for row in rows]
    return dg.MetadataValue.table(listed) if listed else dg.MetadataValue.text("nothing")
