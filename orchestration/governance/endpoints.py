"""The webhook endpoints of `config/webhooks.yaml` in the operational store.

Here: what an endpoint is, keeping the store equal to the config, and who hears of what. Not here:
sending. Addresses and secrets are named by environment variables and resolved when a message is
sent; the store never holds a secret.
"""

import ipaddress
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select, update

from orchestration.governance.addresses import IpNetwork
from orchestration.ops.store import writing
from orchestration.ops.tables import endpoint, endpoint_secret


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """One receiver: where it is, what it wants to hear, about whom."""

    id: str
    url_env: str | None = None
    url: str | None = None
    secret_env: str | None = None
    secret_env_previous: str | None = None
    previous_expires_at: datetime | None = None  # the old secret signs until then; None: always
    events: tuple[str, ...] = ("*",)
    entities: tuple[str, ...] = ()  # with all below them; none = every entity
    allow_insecure: bool = False  # plain http, and receivers on this machine
    allow_networks: tuple[str, ...] = ()  # networks of the house that the receiver may lie in
    format: str = "standard"
    page_url: str | None = None
    expect_body: str | None = None  # text that a good answer has in it
    enabled: bool = True

    def __post_init__(self) -> None:
        if "." in self.id:
            raise ValueError(f"endpoint id {self.id!r}: no full stop, it separates signed parts")
        if (self.url is None) == (self.url_env is None):
            raise ValueError(f"endpoint {self.id}: give either url or url_env")


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as the store knows it."""

    id: str
    url: str | None
    url_env: str | None
    events: tuple[str, ...]
    entities: tuple[str, ...]
    allow_insecure: bool
    networks: tuple[IpNetwork, ...]
    format: str
    expect_body: str | None
    secrets: tuple["SecretRef", ...]


@dataclass(frozen=True)
class SecretRef:
    """The variable that holds a signing secret, and the time in which it signs."""

    variable: str
    active_from: datetime | None
    expires_at: datetime | None


def sync_endpoints(engine: Engine, endpoints: Iterable[EndpointConfig]) -> None:
    """The store's endpoints made equal to the config.

    One that was disabled for failing stays so until its address changes or a person enables it.
    """
    wanted = {each.id: each for each in endpoints}
    with writing(engine) as connection:
        known = {row.id: row for row in connection.execute(select(endpoint))}
        for gone in known.keys() - wanted.keys():
            connection.execute(update(endpoint).where(endpoint.c.id == gone).values(enabled=False))
        for config in wanted.values():
            values = {
                "url": config.url,
                "url_env": config.url_env,
                "event_types_json": json.dumps(list(config.events)),
                "entities_json": json.dumps(list(config.entities)),
                "allow_insecure": config.allow_insecure,
                "networks_json": json.dumps(list(config.allow_networks)),
                "format": config.format,
                "page_url": config.page_url,
                "expect_body": config.expect_body,
                "enabled": config.enabled,
            }
            row = known.get(config.id)
            if row is None:
                connection.execute(insert(endpoint).values(id=config.id, **values))
            else:
                if (row.url, row.url_env) != (config.url, config.url_env):
                    values |= {"disabled_reason": None, "failing_since": None}
                connection.execute(
                    update(endpoint).where(endpoint.c.id == config.id).values(**values)
                )
            _sync_secrets(connection, config)


def _sync_secrets(connection: Connection, config: EndpointConfig) -> None:
    connection.execute(delete(endpoint_secret).where(endpoint_secret.c.endpoint_id == config.id))
    rows: list[dict[str, Any]] = []
    if config.secret_env:
        rows.append({"secret_ref": config.secret_env, "position": 0, "expires_at": None})
    if config.secret_env_previous and config.secret_env_previous != config.secret_env:
        rows.append(
            {
                "secret_ref": config.secret_env_previous,
                "position": 1,
                "expires_at": config.previous_expires_at,
            }
        )
    for row in rows:
        connection.execute(insert(endpoint_secret).values(endpoint_id=config.id, **row))


def enable_endpoint(engine: Engine, endpoint_id: str) -> bool:
    """Lets a receiver that was disabled for failing hear again; False if it is not known."""
    with writing(engine) as connection:
        changed = connection.execute(
            update(endpoint)
            .where(endpoint.c.id == endpoint_id)
            .values(disabled_reason=None, failing_since=None)
        )
        return changed.rowcount == 1


def active_endpoints(connection: Connection) -> dict[str, Endpoint]:
    """The endpoints that messages are sent to now, by id."""
    return _endpoints(connection, endpoint.c.enabled & endpoint.c.disabled_reason.is_(None))


def hearing_endpoints(connection: Connection) -> dict[str, Endpoint]:
    """The endpoints that messages are written for, by id.

    One that was disabled for failing is among them: what happens meanwhile waits for it.
    """
    return _endpoints(connection, endpoint.c.enabled)


def _endpoints(connection: Connection, chosen: ColumnElement[bool]) -> dict[str, Endpoint]:
    secrets: dict[str, list[SecretRef]] = {}
    for row in connection.execute(select(endpoint_secret).order_by(endpoint_secret.c.position)):
        secrets.setdefault(row.endpoint_id, []).append(
            SecretRef(row.secret_ref, row.active_from, row.expires_at)
        )
    rows = connection.execute(select(endpoint).where(chosen).order_by(endpoint.c.id))
    return {
        row.id: Endpoint(
            id=row.id,
            url=row.url,
            url_env=row.url_env,
            events=tuple(json.loads(row.event_types_json)),
            entities=tuple(json.loads(row.entities_json)),
            allow_insecure=row.allow_insecure,
            networks=tuple(map(ipaddress.ip_network, json.loads(row.networks_json))),
            format=row.format,
            expect_body=row.expect_body,
            secrets=tuple(secrets.get(row.id, ())),
        )
        for row in rows
    }


def subscribed(
    endpoints: Mapping[str, Endpoint],
    *,
    event_type: str,
    entities: Iterable[str],
    recipients: Collection[str] | None = None,
) -> list[Endpoint]:
    """The endpoints that want this event about one of `entities` (an entity and its ancestors).

    Where an alert names its recipients, those alone; what they subscribed to counts all the same.
    """
    subject = set(entities)
    return [
        each
        for each in endpoints.values()
        if any(_matches(pattern, event_type) for pattern in each.events)
        and (not each.entities or subject.intersection(each.entities))
        and (recipients is None or each.id in recipients)
    ]


def _matches(pattern: str, event_type: str) -> bool:
    if pattern == "*":
        return True
    if pattern.endswith(".*"):
        return event_type.startswith(pattern[:-1])
    return pattern == event_type
