"""Generated events: any number, the same every time, made in DuckDB from hashes of their number.

The mix is a company's: few models carry most of the traffic (Zipf over the catalogue, the
well-known names first), prompt sizes spread over five orders of magnitude so that context tiers
are reached, some batch, flex and priority traffic, cache reads and writes, reasoning, errors,
gateway cache hits, a little of a model nobody knows.
"""

from collections.abc import Iterable
from datetime import datetime

import duckdb

from price_catalog.rows import PriceRow

DAYS = 45
MODELS = 400
# The names most traffic goes to, as far as the bundled catalogue knows them; the rest follows.
WELL_KNOWN = (
    ("anthropic", "claude-sonnet-4-5"),
    ("openai", "gpt-4o"),
    ("gemini", "gemini-2.5-pro"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("azure", "gpt-4o"),
    ("openai", "o3-mini"),
    ("xai", "grok-4.3"),
    ("gemini", "gemini-2.5-flash"),
    ("deepseek", "deepseek-chat"),
    ("mistral", "mistral-large-latest"),
)

_EVENTS = """
create table intermediate.int_usage__attributed as
with numbers as (
    select
        range as n,
        {unit_interval:model} as u_model,
        {unit_interval:size} as u_size,
        {unit_interval:cache} as u_cache,
        {unit_interval:cache_share} as u_cache_share,
        {unit_interval:write} as u_write,
        {unit_interval:output} as u_output,
        {unit_interval:reasoning} as u_reasoning,
        {unit_interval:tier} as u_tier,
        {unit_interval:status} as u_status,
        {unit_interval:source} as u_source,
        cast(floor({unit_interval:customer} * 1000) as integer) as customer_number
    from range($rows)
),
-- Log-uniform: the k-th model has a k-th of the first one's traffic; prompts of 7 to 268,000.
drawn as (
    select
        *,
        cast(floor(exp(u_model * ln($models + 1.0))) as integer) as model_rank,
        cast(exp(2 + 10.5 * u_size) as bigint) as prompt_tokens,
        cast(exp(1 + 7 * u_output) as bigint) as completion_tokens
    from numbers
),
split as (
    select
        *,
        case when u_cache < 0.3 then cast(prompt_tokens * u_cache_share as bigint) else 0 end
            as cached_tokens,
        case when u_write < 0.15 then cast(prompt_tokens * 0.1 as bigint) else 0 end
            as written_tokens,
        case
            when u_reasoning < 0.2 then cast(completion_tokens * u_reasoning * 4 as bigint)
            else 0
        end as thought_tokens
    from drawn
),
fitted as (
    select *, least(written_tokens, prompt_tokens - cached_tokens) as stored_tokens from split
)
select
    cast(fitted.n as varchar) as usage_key,
    case when u_source < 0.5 then 'trusting' else 'repricing' end as source_instance,
    'c' || customer_number || source_instance as identity_key,
    null::varchar as raw_key_alias,
    null::varchar as raw_key_hash,
    models.provider,
    models.model_name as model_requested,
    models.model_name as model_served,
    case
        when u_tier < 0.04 then 'batch'
        when u_tier < 0.07 then 'flex'
        when u_tier < 0.10 then 'priority'
        when u_tier < 0.50 then 'default'
    end as service_tier,
    null::varchar as region,
    null::varchar as unit,
    case when u_status < 0.01 then 'error' else 'ok' end as status,
    $ends_at - to_microseconds(cast(($rows - n) * ({days} * 86400e6 / $rows) as bigint))
        as occurred_at,
    cast(occurred_at as date) as usage_on,
    false as is_informational,
    u_status > 0.98 as is_gateway_cache_hit,
    prompt_tokens - cached_tokens - stored_tokens as input_tokens,
    cached_tokens as cache_read_tokens,
    case when u_write < 0.12 then stored_tokens else 0 end as cache_write_5m_tokens,
    cast(0 as bigint) as cache_write_30m_tokens,
    case when u_write < 0.12 then 0 else stored_tokens end as cache_write_1h_tokens,
    cast(0 as bigint) as cache_write_12h_tokens,
    completion_tokens - thought_tokens as output_tokens,
    thought_tokens as reasoning_tokens,
    cast(0 as bigint) as audio_input_tokens,
    cast(0 as bigint) as audio_output_tokens,
    cast(0 as bigint) as image_input_tokens,
    cast(0 as bigint) as image_output_tokens,
    prompt_tokens as total_input_tokens,
    completion_tokens as total_output_tokens,
    prompt_tokens + completion_tokens as total_tokens,
    cast(null as decimal(38, 15)) as quantity,
    case
        when u_source < 0.25
            then cast(completion_tokens * 0.00001 as decimal(38, 15))
    end as reported_cost_usd
from fitted
inner join models_in_use as models on fitted.model_rank = models.model_rank
"""


def models_in_use(prices: Iterable[PriceRow]) -> list[tuple[str, str]]:
    """Providers and models by falling traffic: the well-known, then others with text rates."""
    meters: dict[tuple[str, str], set[str]] = {}
    for row in prices:
        meters.setdefault((row.provider, row.model), set()).add(row.meter)
    texts = sorted(each for each, known in meters.items() if {"input", "output"} <= known)
    head = [each for each in WELL_KNOWN if each in meters]
    # Every k-th, so that all providers are met.
    step = max(1, len(texts) // MODELS)
    tail = [each for each in texts[::step] if each not in head]
    chosen = [*head, *tail][: MODELS - 1]
    chosen.insert(len(chosen) // 2, ("openai", "acme-internal-7b"))
    return chosen


def make_events(
    connection: duckdb.DuckDBPyConnection,
    *,
    rows: int,
    models: list[tuple[str, str]],
    ends_at: datetime,
) -> None:
    """Creates `intermediate.int_usage__attributed` with so many events of the days before."""
    connection.execute(
        "create temp table models_in_use (model_rank integer, provider varchar, model_name varchar)"
    )
    connection.executemany(
        "insert into models_in_use values (?, ?, ?)",
        [(rank, *each) for rank, each in enumerate(models, start=1)],
    )
    connection.execute(
        _filled(_EVENTS),
        {"rows": rows, "models": len(models), "ends_at": ends_at.replace(tzinfo=None)},
    )


def _filled(template: str) -> str:
    """The statement with each named draw as a number in [0, 1), hashed from the event's number."""
    parts = template.replace("{days}", str(DAYS)).split("{unit_interval:")
    filled = [parts[0]]
    for part in parts[1:]:
        name, rest = part.split("}", 1)
        # 53 bits, so that the largest hash does not round up to 1.
        filled.append(f"(hash(range, '{name}') >> 11) / 9007199254740992.0{rest}")
    return "".join(filled)
