"""The grammar of price keys: what a key of the model price file says its number is the rate of.

Belongs here: stems, tiers, lifetimes, thresholds and variants, and the providers whose bill no rate
alone tells. A key outside this grammar is no condition: parse.py reports it. Does not belong: the
numbers (parse.py), time windows (off_peak.py), which rate applies to a request (cost.py; dbt).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Catalogue key stem -> meter of tokens. `cache_write` is the base write rate: what every lifetime
# without a rate of its own costs.
TOKEN_METERS: Mapping[str, str] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
    "input_cost_per_token_cache_hit": "cache_read",
    "cache_read_input_audio_token_cost": "audio_cache_read",
    "cache_creation_input_audio_token_cost": "audio_cache_write",
    "cache_read_input_image_token_cost": "image_cache_read",
    "explicit_cache_read_input_token_cost": "explicit_cache_read",
    "input_cost_per_video_token": "video_input",
    "output_cost_per_video_token": "video_output",
    "citation_cost_per_token": "citation",
}
# Older names of a rate: the newer name wins where a model has both.
SYNONYMS = frozenset({"input_cost_per_token_cache_hit"})

# Catalogue key stem -> meter and what it counts. Units of usage are in the plural.
_UNIT_METERS: Mapping[str, tuple[str, str]] = {
    "input_cost_per_request": ("request", "requests"),
    "input_cost_per_query": ("query", "searches"),
    "google_maps_grounding_cost_per_query": ("maps_query", "map_searches"),
    "input_cost_per_character": ("character_input", "characters"),
    "output_cost_per_character": ("character_output", "characters"),
    "cost_per_second": ("second", "seconds"),
    "input_cost_per_second": ("second_input", "seconds"),
    "output_cost_per_second": ("second_output", "seconds"),
    "input_cost_per_audio_per_second": ("audio_second_input", "seconds"),
    "input_cost_per_video_per_second": ("video_second_input", "seconds"),
    "output_cost_per_video_per_second": ("video_second_output", "seconds"),
    "input_cost_per_image": ("image_seen", "images"),
    "output_cost_per_image": ("image_drawn", "images"),
    "input_cost_per_pixel": ("pixel_input", "pixels"),
    "output_cost_per_pixel": ("pixel_output", "pixels"),
    "input_cost_per_text_message": ("message_input", "messages"),
    "code_interpreter_cost_per_session": ("code_session", "sessions"),
    "guardrail_cost_per_unit": ("guardrail", "guardrail_units"),
    "ocr_cost_per_page": ("page", "pages"),
    "annotation_cost_per_page": ("annotated_page", "annotated_pages"),
    "ocr_cost_per_credit": ("credit", "credits"),
}
# A search costs by how much it reads, in one key with a rate a size.
SEARCH_KEY = "search_context_cost_per_query"
SEARCH_SIZES: Mapping[str, str] = {
    "search_context_size_low": "low",
    "search_context_size_medium": "medium",
    "search_context_size_high": "high",
}

# `_above_1hr` is a cache lifetime, not a request size.
_LIFETIMES = {"1hr": "cache_write_1h", "12hr": "cache_write_12h"}
# The end of a key names the served tier whose rate it is.
TIERS: Mapping[str, str] = {
    "batches": "batch",
    "flex": "flex",
    "priority": "priority",
    "ultrafast": "ultrafast",
    "balanced": "balanced",
}
_KEY = re.compile(
    rf"^(?P<stem>{'|'.join([*TOKEN_METERS, *_UNIT_METERS])})"
    r"(?:_above_(?P<lifetime>1hr|12hr))?"
    r"(?:_above_(?P<size>\d+)(?P<thousand>k?)_tokens)?"
    r"(?:_above_(?P<interval>\d+)s_interval)?"
    r"(?:_(?P<resolution>[\d.]+[kKp]?))?"
    rf"(?:_(?P<tier>{'|'.join(TIERS)}))?$"
)
_LOOKS_LIKE_A_PRICE = re.compile(
    r"cost|pric|uplift_multiplier|provider_specific_entry|free_requests"
)

# A router bills a fee of its own on top of what the model it chose costs: its rates alone are not a
# price, and the chosen model is not told by its name.
UNSUPPORTED = frozenset(
    {("azure", "model-router"), ("azure_ai", "model-router"), ("azure_ai", "model_router")}
)


@dataclass(frozen=True)
class Condition:
    """What a rate is the rate of, and when; None and '' are any."""

    meter: str
    unit: str = "token"
    service_tier: str = "standard"
    min_input_tokens: int | None = None
    variant: str = ""
    week_minute_from: int | None = None
    week_minute_to: int | None = None


def condition_of(price_key: str) -> Condition | None:
    """The condition a key names, or None for a key outside the grammar."""
    parts = _KEY.match(price_key)
    if parts is None:
        return None
    meter, unit = TOKEN_METERS.get(parts["stem"], ""), "token"
    if not meter:
        meter, unit = _UNIT_METERS[parts["stem"]]
    elif parts["interval"] or parts["resolution"]:
        return None
    if parts["lifetime"]:
        if meter != "cache_write":
            return None
        meter = _LIFETIMES[parts["lifetime"]]
    variant = f"above_{parts['interval']}s" if parts["interval"] else parts["resolution"] or ""
    return Condition(
        meter=meter,
        unit=unit,
        service_tier=TIERS[parts["tier"]] if parts["tier"] else "standard",
        min_input_tokens=_size(parts),
        variant=variant,
    )


def looks_like_a_price(price_key: str) -> bool:
    """Whether a key outside the grammar may be money, and so has to be reported."""
    return _LOOKS_LIKE_A_PRICE.search(price_key) is not None


def _size(parts: re.Match[str]) -> int | None:
    if not parts["size"]:
        return None
    return int(parts["size"]) * (1000 if parts["thousand"] else 1)
