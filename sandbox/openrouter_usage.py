"""What went through OpenRouter: keys, models and their rates, and every generation of the world.

The company's own calls go through keys of its teams; every so-and-so-many-th call of the LiteLLM
proxy went on to OpenRouter with the proxy's key, so that two gateways have seen it.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.vendor import Call, Grounds, litellm_calls, own_calls

JsonObject = dict[str, Any]

DEFAULT_WORKSPACE = "6b0d4a52-1111-4222-8333-944444444444"
RESEARCH_WORKSPACE = "0c41c7de-2222-4333-8444-955555555555"
WORKSPACES = {DEFAULT_WORKSPACE: "Default", RESEARCH_WORKSPACE: "Research"}
LATE, RESTATED = "openrouter_late", "openrouter_restated"
_PER_MILLION = Decimal("0.000001")
_QUANTUM = Decimal("1e-9")
_BYOK_FEE = Decimal("0.05")
_ONE_PROXY_CALL_IN = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ApiKey:
    """One inference key; the raw secret is a test secret and derived from the name."""

    name: str
    workspace_id: str = DEFAULT_WORKSPACE
    limit: float | None = None
    limit_reset: str | None = None
    disabled: bool = False
    is_byok: bool = False

    @property
    def raw(self) -> str:
        """The secret a client sends."""
        return f"sk-or-v1-{hashlib.sha256(f'sandbox {self.name}'.encode()).hexdigest()}"

    @property
    def hashed(self) -> str:
        """What OpenRouter calls the key by."""
        return hashlib.sha256(self.raw.encode()).hexdigest()


@dataclass(frozen=True)
class Offer:
    """One model at one endpoint; rates are USD per million tokens."""

    slug: str
    permaslug: str
    endpoint_id: str
    provider: str
    input: Decimal
    output: Decimal
    cache_read: Decimal


@dataclass(frozen=True)
class Generation:
    """One generation; `cost` is in credits, `upstream` what an own provider key paid."""

    id: str
    at: datetime
    key: ApiKey
    offer: Offer
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost: Decimal
    upstream: Decimal
    latency_ms: int
    upstream_id: str
    customer: str | None

    @property
    def day(self) -> str:
        """The UTC day it is counted on."""
        return self.at.date().isoformat()


PROXY_KEY = ApiKey("litellm-proxy")
KEYS = (
    PROXY_KEY,
    ApiKey("search-openrouter", limit=100.0, limit_reset="monthly"),
    ApiKey("support-bot", limit=5.0, limit_reset="daily"),
    ApiKey("research-notebooks", workspace_id=RESEARCH_WORKSPACE, is_byok=True),
    ApiKey("old-prototype", limit=0.01, limit_reset="monthly", disabled=True),
)
_OWN_KEYS = {"team-search": KEYS[1], "team-support": KEYS[2], "team-data": KEYS[3]}


def _offer(
    slug: str, permaslug: str, number: int, provider: str, *usd: str, read: str = "0"
) -> Offer:
    endpoint = f"550e8400-e29b-41d4-a716-4466554400{number:02}"
    rates = [Decimal(rate) for rate in usd]
    return Offer(slug, permaslug, endpoint, provider, rates[0], rates[1], Decimal(read))


GPT = _offer("openai/gpt-4.1", "openai/gpt-4.1-2025-04-14", 0, "OpenAI", "2", "8", read="0.5")
GPT_MINI = _offer(
    "openai/gpt-4o-mini", "openai/gpt-4o-mini", 1, "OpenAI", "0.15", "0.6", read="0.075"
)
SONNET = _offer(
    "anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929", 2, "Anthropic",
    "3", "15", read="0.3",
)  # fmt: skip
# The same model by the company's own Bedrock account.
SONNET_BYOK = replace(
    SONNET, endpoint_id="550e8400-e29b-41d4-a716-446655440003", provider="Amazon Bedrock"
)
EMBEDDING = _offer(
    "openai/text-embedding-3-small", "openai/text-embedding-3-small", 4, "OpenAI", "0.02", "0"
)
FREE = _offer(
    "deepseek/deepseek-chat-v3.1:free", "deepseek/deepseek-chat-v3.1:free", 5, "DeepInfra",
    "0", "0",
)  # fmt: skip
OFFERS = {offer.slug: offer for offer in (GPT, GPT_MINI, SONNET, EMBEDDING, FREE)}


class Usage:
    """Every generation, oldest first, with what was added or restated since the world began."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._made = sorted(
            [*_own(grounds), *_proxied(grounds)], key=lambda generation: generation.at
        )

    def generations(self) -> list[Generation]:
        """All of them as they are told now."""
        restated = self._grounds.state.all(RESTATED)
        late = [
            _late(number, facts) for number, facts in enumerate(self._grounds.state.recorded(LATE))
        ]
        found = []
        for generation in (*self._made, *late):
            key = f"{generation.day} {generation.key.name} {generation.offer.slug}"
            factor = Decimal(restated.get(key, "1"))
            if factor != 0:
                found.append(
                    replace(
                        generation,
                        cost=_rounded(generation.cost * factor),
                        upstream=_rounded(generation.upstream * factor),
                    )
                )
        return found


def key_by_name(name: str) -> ApiKey:
    """The key of that name; an unknown name is a mistake of the caller."""
    for key in KEYS:
        if key.name == name:
            return key
    raise KeyError(f"no key {name!r} in the sandbox company")


def late_at(facts: JsonObject) -> datetime:
    """When a late call was made: at noon of its day."""
    return datetime.fromisoformat(f"{facts['date']}T12:00:00+00:00")


def _own(grounds: Grounds) -> Iterator[Generation]:
    calls = own_calls(grounds, name="openrouter", a_day=24, models=list(OFFERS), reasons=True)
    for call in calls:
        key = _OWN_KEYS.get(call.team_id)
        # Other teams call through the proxy; failures mostly leave no row.
        if key is not None and not call.is_error:
            yield _made(call, key)


def _made(call: Call, key: ApiKey) -> Generation:
    offer = OFFERS[call.model]
    if offer is SONNET and key.is_byok:
        offer = SONNET_BYOK
    is_embedding = offer is EMBEDDING
    return _priced(
        offer,
        key,
        at=call.at,
        number=call.number,
        prompt_tokens=call.input_tokens + call.cache_read_tokens,
        cached_tokens=0 if is_embedding else call.cache_read_tokens,
        completion_tokens=0 if is_embedding else call.output_tokens + call.reasoning_tokens,
        reasoning_tokens=0 if is_embedding else call.reasoning_tokens,
        latency_ms=call.latency_ms,
        upstream_id=f"chatcmpl-or-{call.number}",
        customer=call.customer,
    )


def _proxied(grounds: Grounds) -> Iterator[Generation]:
    """What LiteLLM sent on: neither its failures nor its cache hits left the proxy."""
    for row in litellm_calls(grounds, one_in=_ONE_PROXY_CALL_IN):
        if row["status"] != "success" or row["cache_hit"] == "True" or not row["list_usd"]:
            continue
        is_anthropic = row["provider"] == "anthropic"
        is_embedding = row["call_type"] == "aembedding"
        yield _priced(
            EMBEDDING if is_embedding else SONNET if is_anthropic else GPT,
            PROXY_KEY,
            at=_EPOCH + timedelta(milliseconds=row["start_ms"]),
            number=row["start_ms"] % 10**9,
            prompt_tokens=row["prompt_tokens"],
            cached_tokens=row["cache_read_tokens"],
            completion_tokens=row["completion_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
            latency_ms=row["duration_ms"],
            upstream_id=row["request_id"],
            customer=row["customer"],
        )


def _late(number: int, facts: JsonObject) -> Generation:
    return _priced(
        OFFERS[facts["model"]],
        key_by_name(facts["key"]),
        at=late_at(facts),
        number=number,
        prompt_tokens=int(facts["prompt_tokens"]),
        cached_tokens=0,
        completion_tokens=int(facts["completion_tokens"]),
        reasoning_tokens=0,
        latency_ms=900,
        upstream_id=f"chatcmpl-late-{number}",
        customer=None,
    )


def _priced(offer: Offer, key: ApiKey, *, at: datetime, number: int, **facts: Any) -> Generation:
    """The generation with what it cost: with an own provider key the fee and the provider apart."""
    uncached = facts["prompt_tokens"] - facts["cached_tokens"]
    listed = _rounded(
        (
            offer.input * uncached
            + offer.cache_read * facts["cached_tokens"]
            + offer.output * facts["completion_tokens"]
        )
        * _PER_MILLION
    )
    is_byok = offer is SONNET_BYOK
    seconds = (at - _EPOCH) // timedelta(seconds=1)
    tail = random.Random(f"{key.name}:{number}:{facts['upstream_id']}").randbytes(10).hex()
    return Generation(
        id=f"gen-{seconds}-{tail}",
        at=at,
        key=key,
        offer=offer,
        cost=_rounded(listed * _BYOK_FEE) if is_byok else listed,
        upstream=listed if is_byok else Decimal(0),
        **facts,
    )


def _rounded(amount: Decimal) -> Decimal:
    """To nine places: sums of such amounts survive being written as JSON numbers."""
    return amount.quantize(_QUANTUM)
