"""What `webhooks.yaml` and `enforcement.yaml` may say: who is told, what may be limited.

Addresses and secrets that matter are named by environment variable, never written.
"""

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, StringConstraints, model_validator

from ingestion.config_types import Declared, EnvName, Id

EventType = Literal[
    "*", "budget.threshold_reached", "budget.threshold_recovered", "budget.forecast_exceeded",
    "wallet.threshold_reached", "wallet.threshold_recovered", "spend.burn_rate_exceeded",
    "spend.anomaly_detected", "trust.threshold_reached", "trust.threshold_recovered",
    "margin.threshold_reached", "margin.threshold_recovered", "price.changed", "source.failed",
    "source.recovered", "period.closed", "limit.applied", "limit.released", "limit.held",
    "limit.override_detected", "test.ping",
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
    """Where webhooks go."""

    id: Id
    url: Url | None = None
    url_env: EnvName | None = None
    secret_env: EnvName
    secret_env_previous: EnvName | None = None
    events: tuple[EventType, ...]
    entities: tuple[Id, ...] = ()
    enabled: bool = True
    allow_insecure: bool = False
    allow_networks: tuple[Network, ...] = ()

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if not self.events:
            raise ValueError("events names none: say '*' for all, or enabled: false")
        if (self.url is None) == (self.url_env is None):
            raise ValueError("say either url or url_env")
        if self.url is not None and self.url.startswith("http:") and not self.allow_insecure:
            raise ValueError("url: plain http needs allow_insecure: true")
        return self


class Gateway(Declared):
    """A gateway whose keys may be limited. A person arms it in the ops store, config never does."""

    id: Id
    system: Literal["litellm"]
    base_url_env: EnvName
    admin_key_env: EnvName
