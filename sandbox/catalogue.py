"""The models the company calls: what they are named in each log and their public rates.

Rates are USD per million tokens, as the vendors publish them (checked 2026-11-20), and are the
simulated vendors' own: the platform never reads them, so that its prices are tested, not echoed.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.company import ACCOUNT_ID, REGION, UNKNOWN_MODEL

OPEN_ENDED = 10**12
PER_MILLION = Decimal("0.000001")


@dataclass(frozen=True)
class Rates:
    """What a model costs from `from_input` prompt tokens on, per million tokens."""

    input: Decimal
    output: Decimal
    cache_read: Decimal = Decimal(0)
    cache_write_5m: Decimal = Decimal(0)
    cache_write_1h: Decimal = Decimal(0)
    from_input: int = 0


@dataclass(frozen=True)
class Model:
    """One model: its log names, rates and the size of the calls it is used for."""

    system: str
    name: str
    provider: str
    group: str
    rates: tuple[Rates, ...]
    median_input: int
    median_output: int
    max_input: int
    weights: dict[str, int] = field(default_factory=dict)
    cache: str = "none"
    reasons: bool = False
    is_embedding: bool = False
    priced_as: str = ""

    @property
    def price_name(self) -> str:
        """The name the rates are published under."""
        return self.priced_as or self.name


def _rates(*figures: str, from_input: int = 0) -> Rates:
    return Rates(*(Decimal(figure) for figure in figures), from_input=from_input)


SONNET = _rates("3", "15", "0.3", "3.75", "6")
SONNET_US = _rates("3.3", "16.5", "0.33", "4.125", "6.6")
HAIKU = _rates("1", "5", "0.1", "1.25", "2")
HAIKU_US = _rates("1.1", "5.5", "0.11", "1.375", "2.2")
_SONNET_ID = "anthropic.claude-sonnet-4-5-20250929-v1:0"
_HAIKU_ID = "anthropic.claude-haiku-4-5-20251001-v1:0"


def _litellm(name: str, provider: str, group: str, *rates: Rates, **facts: object) -> Model:
    return Model("litellm", name, provider, group, rates, **facts)  # type: ignore[arg-type]


def _bedrock(name: str, *rates: Rates, **facts: object) -> Model:
    return Model("bedrock", name, "bedrock", name, rates, **facts)  # type: ignore[arg-type]


def _sizes(median_input: int, median_output: int, max_input: int = 190_000) -> dict[str, int]:
    return {"median_input": median_input, "median_output": median_output, "max_input": max_input}


def _weights(chat: int, search: int, agents: int) -> dict[str, dict[str, int]]:
    return {"weights": {"chat": chat, "search": search, "agents": agents}}


# Weights are shares in a thousand of the calls of one kind of work: chat (chat, summarise,
# extract), search (half of it embeddings) and agents (long prompts, much of them cached).
MODELS = (
    _litellm("openai/gpt-4o-mini", "openai", "gpt-4o-mini", _rates("0.15", "0.6", "0.075"),
             **_sizes(4_200, 420, 120_000), **_weights(190, 150, 30), cache="openai"),
    _litellm("gpt-4.1", "openai", "gpt-4.1", _rates("2", "8", "0.5"),
             **_sizes(26_000, 1_300, 400_000), **_weights(140, 60, 90), cache="openai"),
    _litellm("gpt-5", "openai", "gpt-5", _rates("1.25", "10", "0.125"),
             **_sizes(26_000, 5_200, 250_000), **_weights(110, 20, 140), cache="openai",
             reasons=True),
    _litellm("gpt-5-mini", "openai", "gpt-5-mini", _rates("0.25", "2", "0.025"),
             **_sizes(9_000, 2_400, 250_000), **_weights(110, 50, 80), cache="openai",
             reasons=True),
    _litellm("claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet", SONNET,
             **_sizes(48_000, 2_900), **_weights(180, 50, 350), cache="anthropic", reasons=True),
    _litellm("claude-opus-4-5-20251101", "anthropic", "claude-opus",
             _rates("5", "25", "0.5", "6.25", "10"),
             **_sizes(52_000, 3_200), **_weights(120, 15, 220), cache="anthropic", reasons=True),
    _litellm("anthropic/claude-haiku-4-5-20251001", "anthropic", "claude-haiku", HAIKU,
             **_sizes(18_000, 1_200), **_weights(95, 40, 130), cache="anthropic"),
    _litellm("gemini/gemini-2.5-flash", "gemini", "gemini-flash", _rates("0.3", "2.5", "0.03"),
             **_sizes(14_000, 900, 400_000), **_weights(80, 60, 50), cache="openai"),
    _litellm("gemini/gemini-2.5-pro", "gemini", "gemini-pro", _rates("1.25", "10", "0.125"),
             _rates("2.5", "15", "0.25", from_input=200_001),
             **_sizes(52_000, 3_300, 420_000), **_weights(40, 15, 55), cache="openai",
             reasons=True),
    _litellm("mistral/mistral-large-latest", "mistral", "mistral-large", _rates("0.5", "1.5"),
             **_sizes(4_000, 380, 120_000), **_weights(20, 5, 10)),
    _litellm("text-embedding-3-small", "openai", "embed-small", _rates("0.02", "0"),
             **_sizes(900, 0, 8_000), **_weights(0, 545, 0), is_embedding=True),
    _litellm(f"hosted_vllm/{UNKNOWN_MODEL}", "hosted_vllm", UNKNOWN_MODEL,
             **_sizes(2_000, 300, 30_000), **_weights(5, 5, 5)),
    # In one region it costs a tenth more than in all of them.
    _bedrock(_SONNET_ID, SONNET_US,
             **_sizes(52_000, 3_300), **_weights(150, 50, 260), cache="anthropic"),
    _bedrock(f"us.{_SONNET_ID}", SONNET_US,
             **_sizes(52_000, 3_300), **_weights(160, 60, 300), cache="anthropic"),
    _bedrock(f"global.{_SONNET_ID}", SONNET,
             **_sizes(52_000, 3_300), **_weights(40, 10, 60), cache="anthropic"),
    _bedrock(f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:inference-profile/us.{_SONNET_ID}", SONNET_US,
             **_sizes(52_000, 3_300), **_weights(20, 10, 40), cache="anthropic",
             priced_as=f"us.{_SONNET_ID}"),
    _bedrock(f"us.{_HAIKU_ID}", HAIKU_US,
             **_sizes(18_000, 1_200), **_weights(200, 80, 220), cache="anthropic"),
    _bedrock("amazon.nova-pro-v1:0", _rates("0.8", "3.2", "0.2"),
             **_sizes(16_000, 1_200), **_weights(200, 80, 120), cache="read_only"),
    _bedrock("amazon.nova-lite-v1:0", _rates("0.06", "0.24", "0.015"),
             **_sizes(3_000, 300), **_weights(200, 110, 80), cache="read_only"),
    _bedrock("amazon.titan-embed-text-v2:0", _rates("0.02", "0"),
             **_sizes(700, 0, 8_000), **_weights(0, 600, 0), is_embedding=True),
)  # fmt: skip


def model_of_group(group: str) -> Model | None:
    """The LiteLLM model behind a model group or a model name, if the proxy serves it."""
    for model in MODELS:
        if model.system == "litellm" and group in (model.group, model.name):
            return model
    return None


def cost_of_call(
    model: Model,
    *,
    input_tokens: int,
    output_tokens: int,
    cache_read_tokens: int = 0,
    cache_write_5m_tokens: int = 0,
    cache_write_1h_tokens: int = 0,
) -> Decimal:
    """The exact list cost of one call in USD; zero for a model without rates."""
    total = input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens
    applying = [rates for rates in model.rates if rates.from_input <= total]
    if not applying:
        return Decimal(0)
    rates = max(applying, key=lambda candidate: candidate.from_input)
    millionths = (
        rates.input * input_tokens
        + rates.cache_read * cache_read_tokens
        + rates.cache_write_5m * cache_write_5m_tokens
        + rates.cache_write_1h * cache_write_1h_tokens
        + rates.output * output_tokens
    )
    return millionths * PER_MILLION
