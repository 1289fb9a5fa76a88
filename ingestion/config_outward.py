"""What `webhooks.yaml` and `enforcement.yaml` may say: who is told, what may be limited.

Addresses and secrets that matter are named by environment variable, never written.
"""

import ipaddress
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from ingestion.config_types import Declared, EnvName, Id

EventType = Literal[
    "*", "budget.threshold_reached", "budget.threshold_recovered", "budget.forecast_exceeded",
    "budget.no_data", "spend.no_data", "trust.no_data",
    "wallet.threshold_reached", "wallet.threshold_recovered", "spend.burn_rate_exceeded",
    "spend.anomaly_detected", "trust.threshold_reached", "trust.threshold_recovered",
    "margin.threshold_reached", "margin.threshold_recovered", "price.changed", "source.failed",
    "source.recovered", "gateway.refused", "gateway.recovered", "snapshot.overdue",
    "snapshot.recovered", "period.closed", "limit.applied", "limit.released", "limit.held",
    "limit.override_detected", "limit.unacknowledged", "test.ping",
]  # fmt: skip


_SHARED = ipaddress.ip_network("100.64.0.0/10")


def _in_house(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"must be a network like 10.20.0.0/16: {error}") from None
    is_shared = network.version == 4 and network.subnet_of(_SHARED)
    if not network.is_private and not is_shared:
        raise ValueError(f"{text} is not a private network: a public address needs no leave")
    return text


Network = Annotated[str, AfterValidator(_in_house)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$")]


class Endpoint(Declared):
    """Where webhooks go; `kind: command`: what sets limits for a system that has no key API."""

    id: Id
    kind: Literal["events", "command"] = "events"
    format: Literal["standard", "slack"] = "standard"
    url: Url | None = None
    url_env: EnvName | None = None
    secret_env: EnvName | None = None
    secret_env_previous: EnvName | None = None
    previous_expires_at: AwareDatetime | None = None
    events: tuple[EventType, ...] = ()
    entities: tuple[Id, ...] = ()
    enabled: bool = True
    allow_insecure: bool = False
    allow_networks: tuple[Network, ...] = ()
    page_url: Annotated[Url, StringConstraints(max_length=300)] | None = None
    # Text that a good answer has in it, for receivers that answer 200 whatever comes of it.
    expect_body: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    verify_url: Url | None = None
    verify_url_env: EnvName | None = None
    acknowledge_within_minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)] = 15

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("say either url or url_env")
        for url in (self.url, self.verify_url):
            if url is not None and url.startswith("http:") and not self.allow_insecure:
                raise ValueError("url: plain http needs allow_insecure: true")
        if self.secret_env is None and self.format != "slack":
            raise ValueError("secret_env is missing: messages are signed")
        if self.previous_expires_at is not None and self.secret_env_previous is None:
            raise ValueError("previous_expires_at is of secret_env_previous, which is missing")
        if self.format == "slack" and self.url is not None:
            raise ValueError("url: who knows a Slack address may post to it; use url_env")
        return self

    @model_validator(mode="after")
    def _one_purpose(self) -> Self:
        is_command = self.kind == "command"
        if not is_command and not self.events:
            raise ValueError("events names none: say '*' for all, or enabled: false")
        heard = (self.events, self.entities, self.expect_body, self.format != "standard")
        if is_command and any(heard):
            raise ValueError(
                "a command endpoint hears commands: no events, entities, expect_body or format"
            )
        if ((self.verify_url is None) != (self.verify_url_env is None)) != is_command:
            raise ValueError("a command endpoint, and no other, has one verify_url or _env")
        return self


class OverrideRules(Declared):
    """How long a person's change at a gateway is left alone: for a time, or until more is used."""

    for_hours: Annotated[int, Field(ge=1, le=24 * 31)] = 4
    growth_ratio: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.1")


class Gateway(Declared):
    """What may be limited. A person arms it in the ops store, config never does.

    `id` is a source: a gateway that lists its keys, or (`command`) one that an endpoint acts for.
    """

    id: Id
    system: Literal["litellm", "openrouter", "portkey", "command"]
    base_url_env: EnvName | None = None
    admin_key_env: EnvName | None = None
    endpoint: Id | None = None
    targets: tuple[Literal["key", "team", "user", "customer"], ...] = ("key",)

    @model_validator(mode="after")
    def _has_targets(self) -> Self:
        if not self.targets:
            raise ValueError("targets names none: leave it out for keys")
        if self.system != "litellm" and self.targets != ("key",):
            raise ValueError(f"targets: {self.system} limits keys alone")
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.system == "command" and self.endpoint is None:
            raise ValueError("system: command names the endpoint that acts")
        names = (self.base_url_env, self.admin_key_env)
        if self.system != "command" and (None in names or self.endpoint):
            raise ValueError(f"{self.system} needs base_url_env and admin_key_env, no endpoint")
        return self
