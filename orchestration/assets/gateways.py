"""Clients of the gateways that `config/enforcement.yaml` declares, from config and environment."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Engine

from ingestion.config_loader import Config
from ingestion.config_outward import Endpoint as DeclaredEndpoint
from ingestion.config_outward import Gateway as DeclaredGateway
from orchestration.enforcement.command import CommandGateway
from orchestration.enforcement.gateway import Gateway
from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.governance.addresses import checked_target
from orchestration.governance.endpoints import Endpoint, active_endpoints
from orchestration.governance.sending import Line
from orchestration.governance.webhooks import TIMEOUT_SECONDS, signing_secrets
from orchestration.ops.store import reading


def declared_gateways(
    config: Config, *, engine: Engine, environ: Mapping[str, str], now: Callable[[], datetime]
) -> dict[str, Gateway]:
    """Clients of the gateways whose variables are set; others are only planned."""
    declared = {each.id: each for each in config.endpoints}
    with reading(engine) as connection:
        active = active_endpoints(connection)
    gateways: dict[str, Gateway] = {}
    for each in config.gateways:
        if each.system == "command":
            endpoint = active.get(each.endpoint or "")
            verify = _verify_url(declared.get(each.endpoint or ""), environ)
            if endpoint and verify and signing_secrets(endpoint, environ, now()):
                minutes = declared[endpoint.id].acknowledge_within_minutes
                gateways[each.id] = CommandGateway(
                    name=each.id,
                    endpoint_id=endpoint.id,
                    engine=engine,
                    verify=_line(verify, endpoint),
                    secrets=partial(signing_secrets, endpoint, environ),
                    acknowledge_within=timedelta(minutes=minutes),
                    now=now,
                )
            continue
        client = _litellm(each, environ)
        if client is not None:
            gateways[each.id] = client
    return gateways


def _litellm(declared: DeclaredGateway, environ: Mapping[str, str]) -> LiteLLMGateway | None:
    base_url = environ.get(declared.base_url_env or "")
    admin_key = environ.get(declared.admin_key_env or "")
    if not base_url or not admin_key:
        return None
    return LiteLLMGateway(base_url, admin_key=admin_key, changed_by="meterhouse")


def _verify_url(declared: DeclaredEndpoint | None, environ: Mapping[str, str]) -> str | None:
    if declared is None:
        return None
    return declared.verify_url or environ.get(declared.verify_url_env or "")


def _line(url: str, endpoint: Endpoint) -> Line:
    target = partial(
        checked_target,
        url,
        allow_insecure=endpoint.allow_insecure,
        networks=endpoint.networks,
    )
    return Line(target, timeout_seconds=TIMEOUT_SECONDS)
