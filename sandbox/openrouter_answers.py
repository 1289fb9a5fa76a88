"""OpenRouter's records as it writes them: days, hours, keys, workspaces and single generations."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.openrouter_usage import ApiKey, Generation, Offer

JsonObject = dict[str, Any]

_CREATED_AT = "2026-01-05T08:00:00Z"
_CREATED_SECONDS = 1_767_603_600
_PER_MILLION = Decimal("0.000001")
_CREATOR = "user_syn000000000000000000"
_DIMENSIONS: Mapping[str, Callable[[Generation], str]] = {
    "api_key_id": lambda each: each.key.hashed,
    "model": lambda each: each.offer.permaslug,
    "provider": lambda each: each.offer.provider,
    "workspace": lambda each: each.key.workspace_id,
    "generation_id": lambda each: each.id,
}
_METRICS: Mapping[str, Callable[[Sequence[Generation]], Any]] = {
    "total_usage": lambda made: _usd(each.cost + each.upstream for each in made),
    "credits_usage": lambda made: _usd(each.cost for each in made),
    # Money that does not occur is null, counts are text.
    "byok_usage": lambda made: _usd(each.upstream for each in made) or None,
    "request_count": lambda made: str(len(made)),
    "tokens_prompt": lambda made: str(sum(each.prompt_tokens for each in made)),
    "tokens_completion": lambda made: str(sum(each.completion_tokens for each in made)),
    "tokens_total": lambda made: str(
        sum(each.prompt_tokens + each.completion_tokens for each in made)
    ),
    "reasoning_tokens": lambda made: str(sum(each.reasoning_tokens for each in made)),
}


def model_record(offer: Offer) -> JsonObject:
    """A model as the public list has it: rates are strings, USD per token."""
    pricing = {
        "prompt": _rate(offer.input),
        "completion": _rate(offer.output),
        "request": "0",
        "image": "0",
    }
    if offer.cache_read:
        pricing["input_cache_read"] = _rate(offer.cache_read)
    return {
        "id": offer.slug,
        "canonical_slug": offer.permaslug,
        "name": f"{offer.provider}: {offer.slug.rpartition('/')[2]}",
        "created": _CREATED_SECONDS,
        "context_length": 200_000,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": pricing,
        "top_provider": {
            "context_length": 200_000,
            "max_completion_tokens": None,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "temperature"],
        "default_parameters": None,
        "supported_voices": None,
        "links": {"details": f"/api/v1/models/{offer.permaslug}/endpoints"},
    }


def _rate(usd_per_million: Decimal) -> str:
    return f"{(usd_per_million * _PER_MILLION).normalize():f}"


def activity_rows(made: Iterable[Generation], *, by_workspace: bool) -> list[JsonObject]:
    """A row a day, model and endpoint, newest day first; the workspace only where it was asked."""
    groups: dict[tuple[str, ...], list[Generation]] = defaultdict(list)
    for each in made:
        place = (each.key.workspace_id,) if by_workspace else ()
        groups[(each.day, each.offer.endpoint_id, *place)].append(each)
    rows = []
    for (day, endpoint_id, *place), group in sorted(groups.items(), reverse=True):
        offer = group[0].offer
        row: JsonObject = {
            "date": day,
            "model": offer.slug,
            "model_permaslug": offer.permaslug,
            "endpoint_id": endpoint_id,
            "provider_name": offer.provider,
            "usage": _usd(each.cost for each in group),
            "byok_usage_inference": _usd(each.upstream for each in group),
            "requests": len(group),
            "prompt_tokens": sum(each.prompt_tokens for each in group),
            "completion_tokens": sum(each.completion_tokens for each in group),
            "reasoning_tokens": sum(each.reasoning_tokens for each in group),
            "cached_tokens": sum(each.cached_tokens for each in group),
        }
        rows.append(row | ({"workspace_id": place[0]} if place else {}))
    return rows


def analytics_rows(
    made: Iterable[Generation], query: JsonObject, *, names: Mapping[str, str]
) -> list[JsonObject]:
    """A row an hour (or day) and dimensions; raises where the query asks for what there is not."""
    metrics, dimensions = query["metrics"], query.get("dimensions", [])
    if not metrics or len(dimensions) > 2:
        raise ValueError("at least one metric and at most two dimensions")
    width = {"hour": 13, "day": 10}[query.get("granularity", "day")]
    bounds = [_second(query["time_range"][name]) for name in ("start", "end")]
    wanted: dict[str, list[str]] = {}
    for given in query.get("filters", []):
        if given["operator"] not in ("eq", "in"):
            raise ValueError(f"operator {given['operator']} is not simulated")
        value = given["value"]
        wanted[given["field"]] = value if isinstance(value, list) else [value]
    groups: dict[tuple[str, ...], list[Generation]] = defaultdict(list)
    for each in made:
        # The end is taken in: the docs do not say, so nobody may rely on its being left out.
        is_asked = all(_DIMENSIONS[field](each) in values for field, values in wanted.items())
        if is_asked and bounds[0] <= each.at <= bounds[1]:
            moment = each.at.astimezone(UTC).isoformat()[:width]
            groups[(moment, *(_DIMENSIONS[name](each) for name in dimensions))].append(each)
    # The time column has one of two names.
    column = "created_at" if bounds[1] - bounds[0] > timedelta(days=7) else "date"
    rows = []
    for (moment, *values), group in sorted(groups.items()):
        row: JsonObject = {
            f"{column}__{query.get('granularity', 'day')}": f"{moment}:00:00.000Z"
            if width == 13
            else f"{moment}T00:00:00.000Z"
        }
        for name, value in zip(dimensions, values, strict=True):
            # Ids of keys come back as names.
            row[name] = names.get(value, value) if name == "api_key_id" else value
        rows.append(row | {name: _METRICS[name](group) for name in metrics})
    return rows


def generation_record(each: Generation, *, canary: str) -> JsonObject:
    """A generation with every documented field; where callers sent text it is the canary."""
    is_byok = each.upstream > 0
    attempt = {
        "provider_name": each.offer.provider, "status": 200, "latency": each.latency_ms,
        "is_byok": is_byok, "endpoint_id": each.offer.endpoint_id,
        "model_permaslug": each.offer.permaslug, "id": each.upstream_id,
    }  # fmt: skip
    is_embedding = "embedding" in each.offer.slug
    return {
        "id": each.id, "upstream_id": each.upstream_id, "request_id": f"req-{each.id[4:]}",
        "created_at": each.at.isoformat(), "model": each.offer.permaslug,
        "provider_name": each.offer.provider,
        "api_type": "embeddings" if is_embedding else "completions",
        "streamed": False, "cancelled": False, "finish_reason": "stop",
        "native_finish_reason": "stop", "latency": each.latency_ms,
        "generation_time": each.latency_ms, "moderation_latency": None,
        "tokens_prompt": each.prompt_tokens, "tokens_completion": each.completion_tokens,
        "native_tokens_prompt": each.prompt_tokens,
        "native_tokens_completion": each.completion_tokens,
        "native_tokens_reasoning": each.reasoning_tokens,
        "native_tokens_cached": each.cached_tokens, "native_tokens_completion_images": 0,
        "num_media_prompt": 0, "num_media_completion": 0, "num_input_audio_prompt": 0,
        "num_search_results": 0, "num_fetches": 0, "web_search_engine": None,
        "usage": float(each.cost), "total_cost": float(each.cost),
        "upstream_inference_cost": float(each.upstream) if is_byok else None,
        "cache_discount": None, "is_byok": is_byok, "service_tier": None, "app_id": 12345,
        "external_user": each.customer, "session_id": None,
        "workspace_id": each.key.workspace_id, "data_region": "global",
        "origin": f"https://{canary}.example.test/", "http_referer": canary,
        "user_agent": canary, "preset_id": None, "router": None,
        "provider_responses": [attempt], "response_cache_source_id": None,
    }  # fmt: skip


def key_record(
    key: ApiKey, stored: JsonObject, made: Sequence[Generation], *, as_of: datetime
) -> JsonObject:
    """A key with its counters of life, UTC day, week from Monday, and month."""
    now = as_of.astimezone(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = {
        "": datetime(1970, 1, 1, tzinfo=UTC),
        "_daily": midnight,
        "_weekly": midnight - timedelta(days=midnight.weekday()),
        "_monthly": midnight.replace(day=1),
    }
    counters = {
        f"{kind}{period}": _usd(amount(each) for each in made if each.at >= start)
        for kind, amount in (
            ("usage", lambda each: each.cost), ("byok_usage", lambda each: each.upstream),
        )
        for period, start in starts.items()
    }  # fmt: skip
    period = f"_{stored['limit_reset']}" if stored["limit_reset"] else ""
    counted = counters[f"usage{period}"]
    if stored["include_byok_in_limit"]:
        counted += counters[f"byok_usage{period}"]
    limit = stored["limit"]
    return {
        "hash": key.hashed,
        "label": f"{key.raw[:12]}...{key.raw[-4:]}",
        **stored,
        "limit_remaining": None if limit is None else max(limit - counted, 0),
        **counters,
        "created_at": _CREATED_AT,
        "expires_at": None,
        "last_used_at": max(each.at for each in made).isoformat() if made else None,
        "creator_user_id": _CREATOR,
        "external_user": None,
        "workspace_id": key.workspace_id,
    }


def workspace_record(id: str, name: str) -> JsonObject:
    """A workspace with every required field."""
    return {
        "id": id, "name": name, "slug": name.lower(), "description": None,
        "created_at": _CREATED_AT, "created_by": _CREATOR, "updated_at": None,
        "default_guardrail_id": id, "default_image_model": None, "default_provider_sort": None,
        "default_text_model": None, "io_logging_api_key_ids": None,
        "io_logging_sampling_rate": 1, "is_data_discount_logging_enabled": False,
        "is_observability_broadcast_enabled": False,
        "is_observability_io_logging_enabled": False,
    }  # fmt: skip


def _usd(amounts: Iterable[Decimal]) -> float:
    return float(sum(amounts, Decimal(0)))


def _second(text: str) -> datetime:
    """A bound with seconds, UTC; one of minutes alone is refused."""
    if len(text) < len("2026-11-20T00:00:00Z"):
        raise ValueError("timestamps must include seconds")
    return datetime.fromisoformat(text)
