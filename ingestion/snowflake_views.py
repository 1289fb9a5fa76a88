"""The views of SNOWFLAKE that are read: the set whose credits may be added up, and three beside it.

Snowflake shows the same usage in several views. Read here is one of each: what repeats another
(CORTEX_AISQL, the old CORTEX_FUNCTIONS, CORTEX_SEARCH_SERVING and _BATCH, DOCUMENT_PROCESSING,
SNOWFLAKE_INTELLIGENCE) is not in this list, and only what is in it can be queried. A naive union
overstated one account by 85 %.
"""

from dataclasses import dataclass
from datetime import timedelta

_DAY = timedelta(days=1)
_USAGE = "ACCOUNT_USAGE."


@dataclass(frozen=True)
class View:
    """One resource: where it is read, its key, its cursor, and how far back it may change.

    `choices`: the first choice of which anything is there is read, its views together.
    `keys` order the rows and must be there; so must `times`, the first of them there is the cursor.
    A `lenient` view is not documented well enough to fail for a column that it lacks.
    """

    resource: str
    choices: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    money: tuple[str, ...] = ()
    times: tuple[str, ...] = ("START_TIME",)
    overlap: timedelta = _DAY
    deep_reread: timedelta = 7 * _DAY
    is_hourly: bool = True
    is_optional: bool = True
    is_lenient: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every view any of the choices reads."""
        return tuple(dict.fromkeys(name for choice in self.choices for name in choice))

    @property
    def documented(self) -> tuple[str, ...]:
        """Columns that may be asked for."""
        return tuple(dict.fromkeys((*self.times, *self.keys, *self.money, *self.columns)))


def _one(name: str) -> tuple[tuple[str, ...], ...]:
    return ((_USAGE + name,),)


_WHO = ("USER_ID", "USER_NAME", "USER_TAGS")
_AGENT = (
    *("END_TIME", *_WHO, "PARENT_REQUEST_ID", "AGENT_DATABASE_NAME", "AGENT_SCHEMA_NAME"),
    *("AGENT_NAME", "TOKENS", "TOKENS_GRANULAR", "CREDITS_GRANULAR", "METADATA"),
)

AI_FUNCTIONS = View(
    resource="ai_functions",
    choices=_one("CORTEX_AI_FUNCTIONS_USAGE_HISTORY"),
    keys=("QUERY_ID", "FUNCTION_NAME", "MODEL_NAME", "WAREHOUSE_ID"),
    money=("CREDITS",),
    columns=("END_TIME", "ROLE_NAMES", "QUERY_TAG", "USER_ID", "METRICS", "IS_COMPLETED"),
    # An hour grows until its query is completed.
    overlap=2 * _DAY,
)
AGENT = View(
    resource="agent",
    choices=_one("CORTEX_AGENT_USAGE_HISTORY"),
    keys=("REQUEST_ID",),
    money=("TOKEN_CREDITS",),
    columns=_AGENT,
)
COWORK = View(
    resource="cowork",
    choices=_one("SNOWFLAKE_COWORK_USAGE_HISTORY"),
    keys=("REQUEST_ID",),
    money=("TOKEN_CREDITS",),
    columns=(*_AGENT, "SNOWFLAKE_INTELLIGENCE_NAME"),
)
REST_API = View(
    resource="rest_api",
    choices=_one("CORTEX_REST_API_USAGE_HISTORY"),
    keys=("REQUEST_ID",),
    columns=(
        *("END_TIME", "MODEL_NAME", "TOKENS", "TOKENS_GRANULAR", "USER_ID", "INFERENCE_REGION"),
    ),
)
AI_GATEWAY = View(
    resource="ai_gateway",
    choices=_one("AI_GATEWAY_USAGE_HISTORY"),
    keys=("REQUEST_ID",),
    money=("CREDITS",),
    columns=(
        *("END_TIME", "GATEWAY_ID", "GATEWAY_NAME", "USER_ID", "SERVICE_TYPE"),
        *("OPERATION_DETAILS", "CREDITS_GRANULAR"),
    ),
    # Published queries use START_TIME, the list of columns lacks it.
    times=("START_TIME", "USAGE_TIME"),
    is_lenient=True,
)
CODE = View(
    resource="code",
    # The first holds every interface; the others hold one each, and are read where it is missing.
    choices=(
        (_USAGE + "SNOWFLAKE_COCO_USAGE_HISTORY",),
        (
            _USAGE + "CORTEX_CODE_CLI_USAGE_HISTORY",
            _USAGE + "CORTEX_CODE_SNOWSIGHT_USAGE_HISTORY",
            _USAGE + "CORTEX_CODE_DESKTOP_USAGE_HISTORY",
        ),
    ),
    keys=("REQUEST_ID",),
    money=("TOKEN_CREDITS",),
    columns=(
        *(*_WHO, "PARENT_REQUEST_ID", "TOKENS", "TOKENS_GRANULAR", "CREDITS_GRANULAR"),
        *("INTERFACE", "METADATA"),
    ),
    times=("USAGE_TIME", "START_TIME"),
    is_lenient=True,
)
GUARDRAILS = View(
    resource="guardrails",
    choices=_one("CORTEX_AI_GUARDRAILS_USAGE_HISTORY"),
    keys=("REQUEST_ID",),
    money=("TOKEN_CREDITS",),
    columns=(
        *(*_WHO, "PARENT_REQUEST_ID", "TOKENS", "TOKENS_GRANULAR", "CREDITS_GRANULAR"),
        *("AGENTIC_SOURCE", "GUARDRAIL_RESULTS", "METADATA"),
    ),
    times=("USAGE_TIME", "START_TIME"),
    is_lenient=True,
)
ANALYST = View(
    resource="analyst",
    choices=_one("CORTEX_ANALYST_USAGE_HISTORY"),
    keys=("USERNAME",),
    money=("CREDITS",),
    columns=("END_TIME", "REQUEST_COUNT"),
    is_hourly=False,
)
FINE_TUNING = View(
    resource="fine_tuning",
    choices=_one("CORTEX_FINE_TUNING_USAGE_HISTORY"),
    keys=("MODEL_NAME",),
    money=("TOKEN_CREDITS",),
    columns=("END_TIME", "WAREHOUSE_ID", "TOKENS"),
    is_hourly=False,
    is_lenient=True,
)
PROVISIONED_THROUGHPUT = View(
    resource="provisioned_throughput",
    choices=_one("CORTEX_PROVISIONED_THROUGHPUT_USAGE_HISTORY"),
    keys=("PROVISIONED_THROUGHPUT_ID",),
    money=("PTU_CREDITS",),
    columns=("INTERVAL_END_TIME", "END_TIME", "MODEL_NAME", "PTU_COUNT"),
    times=("INTERVAL_START_TIME", "START_TIME"),
    is_hourly=False,
    is_lenient=True,
)
SEARCH_DAILY = View(
    resource="search_daily",
    choices=_one("CORTEX_SEARCH_DAILY_USAGE_HISTORY"),
    keys=("SERVICE_ID", "CONSUMPTION_TYPE"),
    money=("CREDITS",),
    columns=("MODEL_NAME", "DATABASE_NAME", "SCHEMA_NAME", "SERVICE_NAME", "TOKENS"),
    times=("USAGE_DATE",),
    overlap=3 * _DAY,
    deep_reread=35 * _DAY,
    is_hourly=False,
)
METERING_DAILY = View(
    resource="metering_daily",
    choices=_one("METERING_DAILY_HISTORY"),
    keys=("SERVICE_TYPE",),
    money=("CREDITS_USED", "CREDITS_BILLED"),
    columns=(
        *("CREDITS_USED_COMPUTE", "CREDITS_USED_CLOUD_SERVICES"),
        "CREDITS_ADJUSTMENT_CLOUD_SERVICES",
    ),
    times=("USAGE_DATE",),
    overlap=3 * _DAY,
    deep_reread=35 * _DAY,
    is_hourly=False,
    # Every account has it: a role that cannot see this one sees none of them.
    is_optional=False,
)
RATE_SHEET_DAILY = View(
    resource="rate_sheet_daily",
    choices=(("ORGANIZATION_USAGE.RATE_SHEET_DAILY",),),
    keys=("USAGE_TYPE", "CURRENCY"),
    money=("EFFECTIVE_RATE",),
    columns=(
        *("ORGANIZATION_NAME", "CONTRACT_NUMBER", "ACCOUNT_NAME", "ACCOUNT_LOCATOR", "REGION"),
        *("SERVICE_LEVEL", "RATING_TYPE", "SERVICE_TYPE", "BILLING_TYPE", "IS_ADJUSTMENT"),
    ),
    times=("DATE",),
    overlap=3 * _DAY,
    deep_reread=35 * _DAY,
    is_hourly=False,
)
USERS = View(
    resource="users",
    choices=_one("USERS"),
    keys=("USER_ID",),
    columns=("NAME", "EMAIL"),
    times=(),
)

# What adds up to the whole cost, each act once.
SUMMED = (
    *(AI_FUNCTIONS, AGENT, COWORK, REST_API, AI_GATEWAY, CODE, GUARDRAILS, ANALYST, FINE_TUNING),
    *(PROVISIONED_THROUGHPUT, SEARCH_DAILY),
)
DATED = (*SUMMED, METERING_DAILY, RATE_SHEET_DAILY)
VIEWS = (*DATED, USERS)
# Repeat what the views above hold; named here only so that none of them comes in by mistake.
OVERLAPPING = frozenset(
    _USAGE + name
    for name in (
        "CORTEX_AISQL_USAGE_HISTORY",
        "CORTEX_FUNCTIONS_USAGE_HISTORY",
        "CORTEX_FUNCTIONS_QUERY_USAGE_HISTORY",
        "CORTEX_SEARCH_SERVING_USAGE_HISTORY",
        "CORTEX_SEARCH_BATCH_QUERY_USAGE_HISTORY",
        "CORTEX_DOCUMENT_PROCESSING_USAGE_HISTORY",
        "SNOWFLAKE_INTELLIGENCE_USAGE_HISTORY",
    )
)
