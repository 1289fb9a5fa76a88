"""Acts whose cost is worked by hand: where they run, when, how, and under which name."""

from datetime import datetime
from decimal import Decimal

from price_warehouse import event

from price_catalog.cost import Usage

MILLION = Usage(input=1_000_000)
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile"
# deepseek-v4-pro: 1.32 per million, 0.66 on weekends and outside 01:00-04:00 and 06:00-10:00 UTC.
DEEPSEEK = {"provider": "deepseek", "model_served": "deepseek-v4-pro"}
BEDROCK = {"provider": "bedrock", "model_served": SONNET}
AZURE = {"provider": "azure", "model_served": "gpt-4o"}
VERTEX = {"provider": "vertex_ai", "model_served": "claude-sonnet-4-5"}
OPUS = {"provider": "anthropic", "model_served": "claude-opus-5"}
Act = tuple[str, Usage, dict[str, object], str, str]


def at(text: str) -> dict[str, object]:
    return {"occurred_at": datetime.fromisoformat(text)}


# Name, usage, what else is said, price status, list cost. A million input tokens cost the rate.
ACTS: list[Act] = [
    # Bedrock: 3 at `global.`, a tenth more anywhere else (R10); a key of the region's own wins.
    ("bedrock_global", MILLION, BEDROCK | {"model_served": f"global.{SONNET}"}, "priced", "6"),
    (
        "bedrock_geo",
        Usage(input=1000),
        BEDROCK | {"model_served": f"us.{SONNET}"},
        "priced",
        "0.0033",
    ),
    ("bedrock_bare", Usage(input=1000), BEDROCK, "priced", "0.0033"),
    ("bedrock_in_region", Usage(input=1000), BEDROCK | {"region": "eu-west-1"}, "priced", "0.0033"),
    ("bedrock_gov", Usage(input=1000), BEDROCK | {"region": "us-gov-west-1"}, "priced", "0.0036"),
    (
        "bedrock_unlisted_geo",
        Usage(input=1000),
        BEDROCK | {"model_served": f"ca.{SONNET}"},
        "priced",
        "0.0033",
    ),
    (
        "bedrock_arn",
        Usage(input=1000),
        BEDROCK | {"model_served": f"{ARN}/eu.{SONNET}"},
        "priced",
        "0.0033",
    ),
    # Over 200,000 tokens its rate is 6, in a region 6.60: 0.2 * 6.6 + 1 token.
    ("bedrock_bare_large", Usage(input=200_001), BEDROCK, "priced", "1.3200066"),
    # Vertex: a tenth more at a regional endpoint (R09).
    ("vertex_global", Usage(input=1000), VERTEX | {"region": "global"}, "priced", "0.003"),
    ("vertex_unsaid", Usage(input=1000), VERTEX, "priced", "0.003"),
    (
        "vertex_regional",
        Usage(input=1000, output=100),
        VERTEX | {"region": "us-east5"},
        "priced",
        "0.00495",
    ),
    # Azure: the data zone's own key (R11); the name of a deployment means nothing.
    ("azure_zone", MILLION, AZURE | {"region": "eu"}, "priced", "2.75"),
    ("azure_region", MILLION, AZURE | {"region": "swedencentral"}, "priced", "2.5"),
    ("azure_deployment", MILLION, AZURE | {"model_served": "our-chat"}, "unmatched_model", ""),
    # Anthropic: inference in the US a tenth more; its fast mode twice the standard rates.
    ("anthropic_us", MILLION, OPUS | {"region": "us"}, "priced", "5.5"),
    (
        "anthropic_fast",
        Usage(input=1000, output=100),
        OPUS | {"service_tier": "fast"},
        "priced",
        "0.015",
    ),
    # OpenAI under data residency in Europe: 2.5 * 1.1.
    (
        "openai_eu",
        Usage(input=100_000),
        {"model_served": "gpt-5.4", "region": "eu"},
        "priced",
        "0.275",
    ),
    # R18: Monday 2026-11-23; ends are exclusive, and the weekend is off-peak all day.
    ("off_peak_before_one", MILLION, DEEPSEEK | at("2026-11-23T00:59:59"), "priced", "0.66"),
    ("peak_at_one", MILLION, DEEPSEEK | at("2026-11-23T01:00:00"), "priced", "1.32"),
    ("off_peak_at_four", MILLION, DEEPSEEK | at("2026-11-23T04:00:00"), "priced", "0.66"),
    ("off_peak_saturday", MILLION, DEEPSEEK | at("2026-11-21T02:00:00"), "priced", "0.66"),
    # R22: the fee of a request outweighs its tokens: 100 * 3 + 100 * 15 millionths, and 0.006.
    (
        "search_fee",
        Usage(input=100, output=100),
        {"provider": "perplexity", "model_served": "sonar-pro"},
        "priced_fallback",
        "0.0078",
    ),
    (
        "request_fee",
        Usage(input=100, output=100),
        {"provider": "perplexity", "model_served": "sonar-small-online"},
        "priced",
        "0.005028",
    ),
    # A batch without a rate of its own for cached tokens takes the standard one, flagged (R15).
    (
        "batch_cached",
        Usage(input=1000, cache_read=1000),
        {"service_tier": "batch"},
        "priced_fallback",
        "0.0025",
    ),
    # A fine-tune has rates of its own, whosever it is.
    ("fine_tune", MILLION, {"model_served": "ft:gpt-4o-2024-08-06:acme::abc123"}, "priced", "3.75"),
    # A router's fee is not the price of the model it chose.
    ("router", MILLION, AZURE | {"model_served": "model-router"}, "no_rate_for_meter", ""),
]


def hand_acts() -> list[dict[str, object]]:
    return [event(name, usage, **more) for name, usage, more, *_ in ACTS]


def expected_costs() -> list[tuple[str, str, Decimal | None]]:
    return [(name, status, Decimal(cost) if cost else None) for name, _, _, status, cost in ACTS]
