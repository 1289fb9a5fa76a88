"""B2: events priced a second by the platform's SQL, against `genai_prices.calc_price` in a loop."""

import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from genai_prices import Usage, calc_price

from bench.b01_pricing import EVENTS
from bench.measure import Figure

Call = tuple[Usage, str, str, datetime]

EXPECTED = 300.0
SAMPLE = 5000
SECONDS = 3.0
# The peer's names of the providers; others it is not asked about.
PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gemini": "google",
    "azure": "azure",
    "xai": "x-ai",
    "deepseek": "deepseek",
    "mistral": "mistral",
}


def measure(home: Path, *, priced: Figure) -> Figure:
    """Events a second of B1 over events a second of the peer, on one core, the same events."""
    calls, asked = _calls(home)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        for usage, model, provider, moment in calls:
            calc_price(usage, model_ref=model, provider_id=provider, genai_request_timestamp=moment)
        done += len(calls)
    peer = done / (time.perf_counter() - started)
    ours = priced.details["events_per_second"]
    return Figure(
        id="B2",
        what="the same events priced a second",
        reference="genai_prices.calc_price in a loop, one core",
        unit="events/s",
        measured=ours,
        reference_measured=peer,
        ratio=ours / peer,
        expected=EXPECTED,
        is_upper_bound=False,
        rows=priced.rows,
        peak_mb=None,
        note="the peer's usage objects are made beforehand and only models it knows are asked",
        details={
            "ratio_on_one_thread": priced.details["events_per_second_on_one_thread"] / peer,
            "sample_asked": asked,
            "sample_known_to_peer": len(calls),
        },
    )


def _calls(home: Path) -> tuple[list[Call], int]:
    """A sample of the events as the peer's arguments; those it has no price for are left out."""
    names = ", ".join(f"'{name}'" for name in PROVIDERS)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            f"""select provider, model_served, occurred_at, total_input_tokens, cache_read_tokens,
                cache_write_5m_tokens + cache_write_1h_tokens, total_output_tokens
            from {EVENTS} where provider in ({names}) order by hash(usage_key) limit {SAMPLE}"""
        ).fetchall()
    calls: list[Call] = []
    for provider, model, moment, total, read, written, output in rows:
        usage = Usage(
            input_tokens=total,
            cache_read_tokens=read,
            cache_write_tokens=written,
            output_tokens=output,
        )
        call: Call = (usage, model, PROVIDERS[provider], moment.replace(tzinfo=UTC))
        try:
            calc_price(
                usage, model_ref=call[1], provider_id=call[2], genai_request_timestamp=call[3]
            )
        except (LookupError, ValueError):
            continue
        calls.append(call)
    if not calls:
        raise RuntimeError("genai_prices knows none of the sampled models")
    return calls, len(rows)
