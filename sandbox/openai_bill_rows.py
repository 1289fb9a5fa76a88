"""OpenAI's usage buckets and the lines of its bill, made from the calls of the world."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import orjson

from sandbox.bills import (
    DAY_SECONDS,
    Used,
    added_lines,
    days_of,
    searches_on,
    totals,
    used_by_provider,
)
from sandbox.vendor import Grounds

JsonObject = dict[str, Any]
ADDED = "openai_bill_line"
_COSTS_AFTER = timedelta(hours=12)
_SEARCH_USD, _SEAT_USD, _SEATS = Decimal("0.01"), Decimal(25), 20
_KEYED = ("project_id", "user_id", "api_key_id", "model")
DIMENSIONS = {
    "completions": (*_KEYED, "batch", "service_tier"),
    "embeddings": _KEYED,
    "moderations": _KEYED,
    "images": (*_KEYED, "size", "source"),
    "audio_speeches": _KEYED,
    "audio_transcriptions": _KEYED,
    "vector_stores": ("project_id",),
    "code_interpreter_sessions": ("project_id",),
    "file_search_calls": ("project_id", "user_id", "api_key_id"),
    "web_search_calls": (*_KEYED, "context_level"),
}
COST_DIMENSIONS = ("project_id", "line_item", "api_key_id")
_LINE_KINDS = {
    "input": "input",
    "cache_read": "cached input",
    "cache_write_5m": "cache write",
    "cache_write_1h": "cache write",
    "output": "output",
}


class Books:
    """What one organisation used and is billed."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._used = cache(lambda width: used_by_provider(grounds, "openai", width=width))

    def counts(self) -> dict[str, int | str]:
        """What the days cost that have a bill: through the gateway, past it, and other things."""
        days = {day for day in days_of(self._grounds) if self.is_billed(day)}
        used = [each for each in self._used(DAY_SECONDS) if each.day in days]
        other = [line["amount"] for day in days for line in self._other_lines(day)]
        return {
            "days": len(days),
            "web_searches": sum(map(searches_on, days)) if used else 0,
            **totals(used, other=other),
        }

    def usage_rows(self, endpoint: str, width: int, start: int, end: int) -> list[JsonObject]:
        """Results of an endpoint in a bucket, by every dimension."""
        used = [each for each in self._used(width) if start <= each.start_s < end]
        if endpoint == "completions":
            return [_completions(each) for each in used if not each.model.is_embedding]
        if endpoint == "embeddings":
            return [
                {
                    "input_tokens": each.tokens["input"],
                    "num_model_requests": each.requests,
                    **_who(each),
                }
                for each in used
                if each.model.is_embedding
            ]
        if endpoint == "web_search_calls" and used:
            day = datetime.fromtimestamp(start, UTC).date()
            if width == DAY_SECONDS and day in days_of(self._grounds):
                row = {"num_requests": searches_on(day), "project_id": "proj_gateway"}
                return [{"num_model_requests": searches_on(day), **row}]
        return []

    def is_billed(self, day: date) -> bool:
        """Whether the costs of the day are told already."""
        ends = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        return ends + _COSTS_AFTER <= self._grounds.as_of

    def billed_until_s(self) -> int:
        """The end of the last day whose costs are told, in seconds; 0 where none is."""
        days = [day for day in days_of(self._grounds) if self.is_billed(day)]
        ends = [datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() for day in days]
        return int(max(ends)) + DAY_SECONDS if ends else 0

    def cost_lines(self, day: date) -> list[JsonObject]:
        """The lines of a day's bill: tokens by model, kind and key, then everything else."""
        lines = [
            {
                "amount": each.usd(kind),
                "line_item": f"{_name(each)}, {text}",
                "quantity": each.tokens[kind],
                "quantity_unit": "tokens",
                "project_id": _who(each)["project_id"],
                "api_key_id": _who(each)["api_key_id"],
            }
            for each in self._used(DAY_SECONDS)
            if each.day == day
            for kind, text in _LINE_KINDS.items()
            if each.tokens[kind]
        ]
        return lines + self._other_lines(day)

    def _other_lines(self, day: date) -> list[JsonObject]:
        if day not in days_of(self._grounds):
            return []
        searches = searches_on(day)
        lines = [_line("web search tool calls", searches * _SEARCH_USD, quantity=searches)]
        if day.day == 1:
            lines.append(_line("ChatGPT Business seats", _SEATS * _SEAT_USD, quantity=_SEATS))
        added = added_lines(self._grounds.state, ADDED)
        return lines + [
            _line(line["line_item"], Decimal(line["amount"]), quantity=None)
            for line in added
            if line["day"] == day.isoformat()
        ]

    def cost_result(self, line: JsonObject) -> JsonObject:
        """A line as a result of the costs endpoint."""
        return {
            "object": "organization.costs.result",
            # A number with every digit: a float would round what the tie-out must find.
            "amount": {"value": orjson.Fragment(f"{line['amount']:f}"), "currency": "usd"},
            "line_item": line["line_item"],
            "project_id": line["project_id"],
            # What people call their projects is theirs to know.
            "project_name": self._grounds.canary or None,
            "api_key_id": line["api_key_id"],
            "quantity": None if line["quantity"] is None else float(line["quantity"]),
            "quantity_unit": line["quantity_unit"],
        }


def _name(used: Used) -> str:
    return used.model.name.removeprefix("openai/")


def _who(used: Used) -> JsonObject:
    place = "direct" if used.is_direct else "gateway"
    return {
        "project_id": f"proj_{place}",
        "user_id": None,
        "api_key_id": f"key_{place}",
        "model": _name(used),
    }


def _completions(used: Used) -> JsonObject:
    tokens = used.tokens
    written = tokens["cache_write_5m"] + tokens["cache_write_1h"]
    zeros = ("audio_tokens", "image_tokens")
    return {
        "input_tokens": tokens["input"] + tokens["cache_read"] + written,
        "input_uncached_tokens": tokens["input"],
        "input_cached_tokens": tokens["cache_read"],
        "input_cache_write_tokens": written,
        "output_tokens": tokens["output"],
        "input_text_tokens": tokens["input"],
        "output_text_tokens": tokens["output"],
        "input_cached_text_tokens": tokens["cache_read"],
        **{f"{side}_{kind}": 0 for side in ("input", "input_cached", "output") for kind in zeros},
        "num_model_requests": used.requests,
        **_who(used),
        "batch": False,
        "service_tier": "default",
    }


def _line(name: str, amount: Decimal, *, quantity: int | None) -> JsonObject:
    return {
        "amount": amount,
        "line_item": name,
        "quantity": quantity,
        "quantity_unit": None,
        "project_id": "proj_gateway",
        "api_key_id": None,
    }
