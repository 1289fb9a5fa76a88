"""What a Snowflake account's usage views hold of the demo company's acts.

Credits are exact; each act stands in one view of those that may be added up, and again where
Snowflake repeats it (AISQL, Search serving, the old name of CoWork, CoCo by interface).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox import snowflake_acts as acts
from sandbox.company import email_of
from sandbox.snowflake_acts import EMBEDDER, IDS, MEMBERS, MODELS
from sandbox.vendor import Call, Grounds, JsonObject, own_calls

Tables = dict[str, list[JsonObject]]

_A_DAY = 30
_USAGE = "ACCOUNT_USAGE."
AI_FUNCTIONS = _USAGE + "CORTEX_AI_FUNCTIONS_USAGE_HISTORY"
AGENT = _USAGE + "CORTEX_AGENT_USAGE_HISTORY"
COWORK = _USAGE + "SNOWFLAKE_COWORK_USAGE_HISTORY"
REST_API = _USAGE + "CORTEX_REST_API_USAGE_HISTORY"
AI_GATEWAY = _USAGE + "AI_GATEWAY_USAGE_HISTORY"
COCO = _USAGE + "SNOWFLAKE_COCO_USAGE_HISTORY"
GUARDRAILS = _USAGE + "CORTEX_AI_GUARDRAILS_USAGE_HISTORY"
ANALYST = _USAGE + "CORTEX_ANALYST_USAGE_HISTORY"
SEARCH = _USAGE + "CORTEX_SEARCH_DAILY_USAGE_HISTORY"
METERING = _USAGE + "METERING_DAILY_HISTORY"
SUMMED = (*(AI_FUNCTIONS, AGENT, COWORK, REST_API, AI_GATEWAY, COCO, GUARDRAILS, ANALYST, SEARCH),)
# What is metered under which service type; REST's and the gateway's are one.
_METERED = {
    AI_FUNCTIONS: ("AI_FUNCTIONS", "CREDITS", "START_TIME"),
    AGENT: ("CORTEX_AGENTS", "TOKEN_CREDITS", "START_TIME"),
    AI_GATEWAY: ("AI_INFERENCE", "CREDITS", "START_TIME"),
    ANALYST: ("AI_SERVICES", "CREDITS", "START_TIME"),
}


def tables_of(grounds: Grounds, *, is_completed: bool, late: Iterable[JsonObject]) -> Tables:
    """Every view; `late`: REST rows added since the world was made."""
    tables: Tables = defaultdict(list)
    for call in own_calls(grounds, name="snowflake_cortex", a_day=_A_DAY, models=MODELS):
        view, make = _view_of(call)
        tables[view] += make(call, grounds)
    for view in SUMMED:
        tables[view] += []  # a quiet world has every view, empty
    for row in tables[AI_FUNCTIONS]:
        if not row["IS_COMPLETED"] and is_completed:
            acts.grow(row)
    tables[REST_API] += late
    tables[ANALYST] = _by_hour(tables[ANALYST])
    tables[SEARCH] = list(_search_days(grounds, tables[AI_FUNCTIONS]))
    tables[METERING] = list(_metered(tables))
    tables[_USAGE + "USERS"] = [
        {"USER_ID": IDS[email_of(n)], "NAME": n.upper(), "EMAIL": email_of(n),
         "COMMENT": grounds.canary}
        for n in MEMBERS
    ]  # fmt: skip
    tables["ORGANIZATION_USAGE.RATE_SHEET_DAILY"] = list(_rates(grounds))
    return _with_repeats(tables)


def _view_of(call: Call) -> tuple[str, Callable[[Call, Grounds], list[JsonObject]]]:
    for limit, view, make in (
        (0.30, AI_FUNCTIONS, acts.function),
        (0.45, AGENT, acts.agent),
        (0.55, COWORK, acts.cowork),
        (0.72, REST_API, acts.rest),
        (0.80, AI_GATEWAY, acts.gateway),
        (0.90, COCO, acts.coco),
        (0.95, ANALYST, acts.analyst),
    ):
        if call.dice < limit:
            return view, make
    return GUARDRAILS, acts.guardrail


def _by_hour(rows: Iterable[JsonObject]) -> list[JsonObject]:
    """One row an hour and user."""
    hours: dict[tuple[datetime, str], JsonObject] = {}
    for row in rows:
        known = hours.setdefault(
            (row["START_TIME"], row["USERNAME"]), {**row, "REQUEST_COUNT": 0, "CREDITS": Decimal(0)}
        )
        known["REQUEST_COUNT"] += row["REQUEST_COUNT"]
        known["CREDITS"] += row["CREDITS"]
    return list(hours.values())


def _search_days(grounds: Grounds, functions: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Serving by the day, and the embedding that AI functions show too."""
    if grounds.is_replay:
        return
    embedded: dict[Any, list[JsonObject]] = defaultdict(list)
    for row in functions:
        if row["FUNCTION_NAME"] == "AI_EMBED":
            embedded[row["START_TIME"].date()].append(row)
    service = {"DATABASE_NAME": "ACME", "SCHEMA_NAME": "SEARCH", "SERVICE_NAME": "KB"}
    for days in range(grounds.days, 0, -1):
        day = (grounds.as_of - timedelta(days=days)).date()
        yield {**service, "USAGE_DATE": day, "SERVICE_ID": 55, "CONSUMPTION_TYPE": "SERVING",
               "CREDITS": Decimal("0.6")}  # fmt: skip
        if rows := embedded[day]:
            yield {
                **service, "USAGE_DATE": day, "SERVICE_ID": 55,
                "CONSUMPTION_TYPE": "EMBED_TEXT_TOKENS", "MODEL_NAME": EMBEDDER,
                "CREDITS": sum(row["CREDITS"] for row in rows),
                "TOKENS": sum(m["value"] for row in rows for m in row["METRICS"]),
            }  # fmt: skip


def _metered(tables: Tables) -> Iterator[JsonObject]:
    days: dict[tuple[Any, str], Decimal] = defaultdict(Decimal)
    for view, (service, credits, time) in _METERED.items():
        for row in tables[view]:
            days[row[time].date(), service] += row[credits]
    for (day, service), spent in sorted(days.items()):
        yield {
            "SERVICE_TYPE": service, "USAGE_DATE": day, "CREDITS_USED_COMPUTE": spent,
            "CREDITS_USED_CLOUD_SERVICES": 0, "CREDITS_USED": spent,
            "CREDITS_ADJUSTMENT_CLOUD_SERVICES": 0, "CREDITS_BILLED": spent,
        }  # fmt: skip


def _rates(grounds: Grounds) -> Iterator[JsonObject]:
    """A day's rates appear with a day of lag."""
    for days in range(0 if grounds.is_replay else grounds.days, 1, -1):
        day = (grounds.as_of - timedelta(days=days)).date()
        for service, rate in (("AI_FUNCTIONS", "2.2"), ("CORTEX_AGENTS", "2.2")):
            yield {
                "DATE": day, "ORGANIZATION_NAME": "ACME", "CONTRACT_NUMBER": "C-1",
                "ACCOUNT_NAME": "PROD", "ACCOUNT_LOCATOR": "AB12345", "REGION": "AWS_US_WEST_2",
                "SERVICE_LEVEL": "Enterprise", "USAGE_TYPE": service.lower(), "CURRENCY": "USD",
                "EFFECTIVE_RATE": Decimal(rate), "RATING_TYPE": "AI_COMPUTE",
                "SERVICE_TYPE": service, "IS_ADJUSTMENT": False, "BILLING_TYPE": "CONSUMPTION",
            }  # fmt: skip


def _with_repeats(tables: Tables) -> Tables:
    """The views, and those that show rows of them again."""
    functions, coco = tables[AI_FUNCTIONS], tables[COCO]
    return {
        **tables,
        _USAGE + "CORTEX_AISQL_USAGE_HISTORY": [
            {**row, "TOKEN_CREDITS": row["CREDITS"]} for row in functions
        ],
        _USAGE + "CORTEX_SEARCH_SERVING_USAGE_HISTORY": [
            row for row in tables[SEARCH] if row["CONSUMPTION_TYPE"] == "SERVING"
        ],
        _USAGE + "SNOWFLAKE_INTELLIGENCE_USAGE_HISTORY": tables[COWORK],
        _USAGE + "CORTEX_CODE_CLI_USAGE_HISTORY": [
            row for row in coco if row["INTERFACE"] == "CLI"
        ],
        _USAGE + "CORTEX_CODE_SNOWSIGHT_USAGE_HISTORY": [
            row for row in coco if row["INTERFACE"] == "SNOWSIGHT"
        ],
    }
