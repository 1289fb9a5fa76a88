"""Who may push: the systems of `config/sources.yaml` that nothing is read from.

A sender is one source instance with a token or a secret of its own; what it sends is booked on it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import model_validator

from ingestion.source_config import SourceConfig

EVENTS, SPANS, LITELLM_LOGS = "events", "spans", "litellm_logs"
# What the senders of a system may push; a system that is not named may push nothing.
PUSHES: Mapping[str, tuple[str, ...]] = {
    "collector": (EVENTS, SPANS, LITELLM_LOGS),
    "otel": (SPANS,),
    "litellm": (LITELLM_LOGS,),
}


class _Pushing(SourceConfig):
    @model_validator(mode="after")
    def _signs_in(self) -> Self:
        if self.push_token_env is None and self.push_secret_env is None:
            raise ValueError("a sender needs push_token_env or push_secret_env")
        return self


class CollectorSource(_Pushing):
    """One application or script that pushes standard usage events."""

    system: Literal["collector"]


class OtelSource(_Pushing):
    """One emitter of OpenTelemetry spans.

    `token_convention` says how it counts where it does not follow the convention (`inclusive`).
    """

    system: Literal["otel"]
    token_convention: Literal["inclusive", "disjoint"] | None = None


def push_sources(sources: Sequence[SourceConfig]) -> list[SourceConfig]:
    """The enabled instances that may push."""
    return [
        source
        for source in sources
        if source.enabled
        and source.system in PUSHES
        and (source.push_token_env or source.push_secret_env)
    ]
