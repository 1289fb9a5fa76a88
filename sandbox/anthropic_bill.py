"""Anthropic's usage and cost reports, below /anthropic_bill: an admin key, day buckets, cursors.

Amounts are texts in cents. `POST /_world/anthropic_bill/lines` adds or restates a line of a day.
"""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.bill_pages import USAGE_LIMITS, WIDTHS, Asked, JsonObject, grouped, page_of
from sandbox.bills import (
    DAY_SECONDS,
    Used,
    add_line,
    added_lines,
    days_of,
    searches_on,
    totals,
    used_by_provider,
)
from sandbox.proxy_http import json_body, json_response
from sandbox.vendor import Grounds, RateLimit

ADMIN_KEY = "sk-ant-admin-sandbox"
_ADDED = "anthropic_bill_line"
_SEARCH_USD = Decimal("0.01")
_EXECUTION_USD = Decimal("0.05")
_EXECUTION_HOURS_ONE_DAY_IN = 3
_SHARED = ("workspace_id", "model", "service_tier", "context_window", "inference_geo")
_USAGE_DIMENSIONS = ("account_id", "api_key_id", "service_account_id", *_SHARED)
_TOKEN_FIELDS = ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens", "w5m", "w1h")
_TOKEN_TYPES = {
    "input": ("uncached_input_tokens", "Input Tokens"),
    "cache_read": ("cache_read_input_tokens", "Cache Read"),
    "cache_write_5m": ("cache_creation.ephemeral_5m_input_tokens", "5m Cache Write"),
    "cache_write_1h": ("cache_creation.ephemeral_1h_input_tokens", "1h Cache Write"),
    "output": ("output_tokens", "Output Tokens"),
}


class _Refused(Exception):
    def __init__(self, message: str, *, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.kind = kind
        self.status = {"authentication_error": 401, "rate_limit_error": 429}.get(kind, 400)


class AnthropicBill:
    """The usage and costs of one Anthropic organisation."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        # None is documented but "about once a minute": paging is faster than that.
        self._limit = RateLimit(requests=300, seconds=60)
        self._used = cache(lambda width: used_by_provider(grounds, "anthropic", width=width))

    def routes(self) -> list[Route]:
        """The endpoints of the vendor, and our own that adds a line."""
        base = "/anthropic_bill/v1/organizations"
        return [
            Route(f"{base}/usage_report/messages", self._usage),
            Route(f"{base}/cost_report", self._costs),
            Route("/_world/anthropic_bill/lines", self._add, methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """The variables the platform reads the bill with."""
        return {
            "ANTHROPIC_BILL_MAIN_BASE_URL": f"{url}/anthropic_bill",
            "ANTHROPIC_BILL_MAIN_ADMIN_KEY": ADMIN_KEY,
        }

    def counts(self) -> dict[str, int | str]:
        """What the finished days cost: through the gateway, past it, and other things."""
        days = set(days_of(self._grounds))
        used = [each for each in self._used(DAY_SECONDS) if each.day in days]
        other = [line["usd"] for day in days for line in self._other_lines(day)]
        return {"days": len(days), **totals(used, other=other)}

    async def _usage(self, request: Request) -> Response:
        def answer() -> JsonObject:
            asked, by = _asked(request, limits=USAGE_LIMITS, dimensions=_USAGE_DIMENSIONS)

            def rows(start: int, end: int) -> list[JsonObject]:
                found = [
                    _usage_row(each)
                    for each in self._used(WIDTHS[asked.width])
                    if start <= each.start_s < end
                ]
                day = datetime.fromtimestamp(start, UTC).date()
                if found and asked.width == "1d" and day in days_of(self._grounds):
                    found[0]["searches"] = searches_on(day)
                amounts = (*_TOKEN_FIELDS, "searches")
                return [
                    _usage_result(row)
                    for row in grouped(found, by=by, dimensions=_USAGE_DIMENSIONS, amounts=amounts)
                ]

            return _page(asked, last_s=int(self._grounds.as_of.timestamp()), rows=rows)

        return self._answering(request, answer)

    async def _costs(self, request: Request) -> Response:
        def answer() -> JsonObject:
            dimensions = ("workspace_id", "description")
            asked, by = _asked(request, limits={"1d": (7, 31)}, dimensions=dimensions)

            def rows(start: int, end: int) -> list[JsonObject]:
                lines = self._cost_lines(datetime.fromtimestamp(start, UTC).date())
                if "description" not in by:
                    for line in lines:
                        line.update(dict.fromkeys((*_SHARED[1:], "cost_type", "token_type")))
                found = grouped(lines, by=by, dimensions=dimensions, amounts=("usd",))
                return [_cost_result(line) for line in found]

            today = self._grounds.as_of.astimezone(UTC).replace(
                hour=0, minute=0, second=0, microsecond=0
            )
            return _page(asked, last_s=int(today.timestamp()), rows=rows)

        return self._answering(request, answer)

    async def _add(self, request: Request) -> Response:
        try:
            line = add_line(self._grounds.state, _ADDED, await json_body(request))
        except (KeyError, ValueError, InvalidOperation) as error:
            return json_response({"error": {"message": f"lines: {error}"}}, status=400)
        return json_response(line)

    def _answering(self, request: Request, answer: Any) -> Response:
        """The answer, or the refusal as Anthropic words it."""
        headers = {}
        try:
            if request.headers.get("x-api-key") != ADMIN_KEY:
                raise _Refused("invalid x-api-key", kind="authentication_error")
            if "anthropic-version" not in request.headers:
                raise _Refused("anthropic-version: header is required")
            wait = self._limit.wait()
            if wait is not None:
                headers["retry-after"] = str(wait)
                raise _Refused("Number of requests has exceeded", kind="rate_limit_error")
            return json_response(answer())
        except _Refused as refused:
            error = {"type": refused.kind, "message": str(refused)}
            return json_response(
                {"type": "error", "error": error, "request_id": "req_sandbox"},
                status=refused.status,
                headers=headers,
            )

    def _cost_lines(self, day: date) -> list[JsonObject]:
        """The lines of a day's bill: tokens by model, kind and workspace, then everything else."""
        lines = [
            {
                "usd": each.usd(kind),
                "cost_type": "tokens",
                "description": f"{_name(each)} Usage - {text}",
                "token_type": token_type,
                **_where(each),
            }
            for each in self._used(DAY_SECONDS)
            if each.day == day
            for kind, (token_type, text) in _TOKEN_TYPES.items()
            if each.tokens[kind]
        ]
        return lines + self._other_lines(day)

    def _other_lines(self, day: date) -> list[JsonObject]:
        if day not in days_of(self._grounds):
            return []
        searches = searches_on(day)
        lines = [_other("web_search", "Web Search Usage", searches * _SEARCH_USD)]
        if day.toordinal() % _EXECUTION_HOURS_ONE_DAY_IN == 0:
            lines.append(_other("code_execution", "Code Execution Usage", _EXECUTION_USD))
        added = added_lines(self._grounds.state, _ADDED)
        return lines + [
            _other("session_usage", line["line_item"], Decimal(line["amount"]))
            for line in added
            if line["day"] == day.isoformat()
        ]


def _asked(
    request: Request, *, limits: dict[str, tuple[int, int]], dimensions: tuple[str, ...]
) -> tuple[Asked, list[str]]:
    query = request.query_params
    width = query.get("bucket_width", "1d")
    if width not in limits:
        raise _Refused(f"bucket_width: Input should be {' or '.join(limits)}")
    usual, most = limits[width]
    limit = query.get("limit", str(usual))
    if not limit.isdecimal() or not 1 <= int(limit) <= most:
        raise _Refused(f"limit: Input should be between 1 and {most}")
    by = query.getlist("group_by[]")
    wrong = [name for name in by if name not in dimensions]
    if wrong:
        raise _Refused(f"group_by: Input should be one of {', '.join(dimensions)}")
    bounds = []
    for name in ("starting_at", "ending_at"):
        try:
            moment = datetime.fromisoformat(query[name])
        except (KeyError, ValueError):
            raise _Refused(f"{name}: Input should be a valid datetime") from None
        bounds.append(int(moment.timestamp()))
    return Asked(bounds[0], bounds[1], width, int(limit), query.get("page")), by


def _page(asked: Asked, *, last_s: int, rows: Any) -> JsonObject:
    page = page_of(asked, last_s=last_s, rows=rows)
    if page is None:
        raise _Refused("page: Input should be a cursor of this report")
    buckets = [
        {"starting_at": _text(start), "ending_at": _text(end), "results": results}
        for start, end, results in page["buckets"]
    ]
    return {"data": buckets, "has_more": page["has_more"], "next_page": page["next_page"]}


def _text(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _name(used: Used) -> str:
    return used.model.name.removeprefix("anthropic/")


def _where(used: Used) -> JsonObject:
    """The dimensions of tokens; what went past the gateway used the default workspace, null."""
    return {
        "workspace_id": None if used.is_direct else "wrkspc_gateway",
        "model": _name(used),
        "service_tier": "standard",
        "context_window": "0-200k",
        "inference_geo": "not_available",
    }


def _usage_row(used: Used) -> JsonObject:
    return {
        "uncached_input_tokens": used.tokens["input"],
        "cache_read_input_tokens": used.tokens["cache_read"],
        "w5m": used.tokens["cache_write_5m"],
        "w1h": used.tokens["cache_write_1h"],
        "output_tokens": used.tokens["output"],
        "searches": 0,
        "account_id": None,
        "service_account_id": None,
        "api_key_id": "apikey_direct" if used.is_direct else "apikey_gateway",
        **_where(used),
    }


def _usage_result(row: JsonObject) -> JsonObject:
    written = {
        "ephemeral_1h_input_tokens": row.pop("w1h"),
        "ephemeral_5m_input_tokens": row.pop("w5m"),
    }
    searches = {"web_search_requests": row.pop("searches")}
    return {**row, "cache_creation": written, "server_tool_use": searches}


def _cost_result(line: JsonObject) -> JsonObject:
    usd = line.pop("usd")
    return {"amount": f"{usd * 100:f}", "currency": "USD", **line}


def _other(cost_type: str, description: str, usd: Decimal) -> JsonObject:
    empty = dict.fromkeys((*_SHARED[1:], "token_type"))
    kept = {"cost_type": cost_type, "description": description, "workspace_id": "wrkspc_gateway"}
    return {"usd": usd, **empty, **kept}
