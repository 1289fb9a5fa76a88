"""Clients of the gateways that `config/enforcement.yaml` declares, from config and environment."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Engine

from ingestion.config_loader import Config
from ingestion.config_outward import Endpoint as DeclaredEndpoint
from orchestration.enforcement.command import CommandGateway
from orchestration.enforcement.gateway import Gateway
from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.enforcement.openrouter import OpenRouterGateway
from orchestration.enforcement.portkey import PortkeyGateway
from orchestration.enforcement.rules import Rules
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
        base_url = environ.get(each.base_url_env or "")
        admin_key = environ.get(each.admin_key_env or "")
        if base_url and admin_key:
            gateways[each.id] = client_of(each.system, base_url=base_url, admin_key=admin_key)
    return gateways


def override_rules(config: Config | None) -> Rules:
    """How long a person's change is respected, as `enforcement.yaml` says."""
    if config is None:
        return Rules()
    return Rules(
        override_for=timedelta(hours=config.override.for_hours),
        override_growth_ratio=config.override.growth_ratio,
    )


def client_of(system: str, *, base_url: str, admin_key: str) -> Gateway:
    """The client of a gateway that has an API for limits."""
    if system == "openrouter":
        return OpenRouterGateway(base_url, management_key=admin_key)
    if system == "portkey":
        return PortkeyGateway(base_url, admin_key=admin_key)
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
