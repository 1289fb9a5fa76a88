"""What is taken out of Agentforce's usage objects: quantities, names, flags."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ingestion.agentforce_objects import Role
from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import tags_text
from ingestion.times import utc_text

# What Salesforce writes where it knows nobody.
_NOBODY = "NOT_SET"


def _text(value: Any) -> Any:
    return None if value in ("", _NOBODY) else value


def _flag(value: Any) -> Any:
    """A flag, which may be a boolean or its text, as text."""
    value = _text(value)
    return str(value).lower() if isinstance(value, bool | str) else value


def _whole(value: Any) -> Any:
    """A count that is written as a double; one with a fraction stays, to be rejected."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _time(value: Any) -> Any:
    """A time as either API writes it: ISO 8601, or `2026-10-05 09:00:11.000 UTC`."""
    return utc_text(value.removesuffix(" UTC")) if isinstance(value, str) else value


def _number_text(value: Any) -> Any:
    """A number as text without a trailing `.0`; what is no number stays out of the tags."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return format(Decimal(repr(value)).normalize(), "f")


def _tags(**tags: Any) -> str | None:
    return tags_text({name: value for name, value in tags.items() if isinstance(value, str)})


def _enriched(record: Mapping[str, Any]) -> Sequence[Any]:
    get = record.get
    return (
        get("id"),
        _time(get("eventtime")),
        _text(get("carddefinitiondevelopername")),
        _text(get("usagetypedevelopername")),
        _text(get("featuredevelopername")),
        _text(get("usagesubtype1")),
        _text(get("resourcetype")),
        _text(get("resourceidorapiname")),
        _text(get("usagereportingorgid")),
        _text(get("correlationidentifier")),
        get("usagevalue"),
        get("multiplier"),
        get("unitsconsumed"),
        _tags(
            environment=_text(get("businessenvtype")),
            group=_text(get("usagesubtype0")),
            card=_text(get("carddefinitiondevelopername")),
            usage_type=_text(get("usagetypedevelopername")),
            resource_type=_text(get("resourcetype")),
            entitlement_org=_text(get("entitlementorgid")),
            usage_value=_number_text(get("usagevalue")),
            multiplier=_number_text(get("multiplier")),
        ),
    )


def _generative(record: Mapping[str, Any]) -> Sequence[Any]:
    get = record.get
    return (
        get("id"),
        _time(get("timestamp")),
        _text(get("internalorganizationid")),
        _text(get("aiagentsessionid")),
        _text(get("requestidentifier")),
        _text(get("telemetrytraceidentifier")),
        _text(get("agentdevelopername")) or _text(get("agentidentifier")),
        _text(get("userid")),
        _text(get("genaigatewayfeaturename")) or _text(get("featuredescriptorname")),
        _text(get("genaigatewaymodelname")),
        _text(get("modelprovidername")),
        _text(get("modelprovidermodelname")),
        _whole(get("promptinputtokencount")),
        _whole(get("promptcompletiontokencount")),
        _whole(get("prompttotaltokencount")),
        _tags(
            billable=_flag(get("isbillableindicator")),
            metered=_flag(get("ismeteredindicator")),
            skip_reason=_text(get("meteringskipreasoncode")),
            usage_type=_text(get("usagetypecode")),
            unit_type=_text(get("unittypecode")),
            usage_quantity=_number_text(get("usagequantity")),
            tier=_text(get("tierqualifiertype")),
            agent_type=_text(get("agenttypecode")),
            tool=_text(get("aiagenttoolname")),
            prompt_template=_text(get("prompttemplatedevelopername")),
            model_class=_text(get("modelclasstype")),
            model_provider=_text(get("modelprovidername")),
        ),
    )


def _daily(record: Mapping[str, Any]) -> Sequence[Any]:
    get = record.get
    return (
        _time(get("utilizationdate")),
        _text(get("carddefinitiondevelopername")),
        _text(get("usagetypedevelopername")),
        _text(get("usagebusinessenvtype")),
        get("unitsconsumed"),
    )


def _transaction(record: Mapping[str, Any]) -> Sequence[Any]:
    get = record.get
    return (
        get("id") or get("own_id"),
        _text(get("entitlementcarddefdevlname")),
        _text(get("entitlementtransactiontype")),
        _text(get("usagemodel")),
        _text(get("mgmtorgcontract")),
        get("quantity"),
        _time(get("startdate")),
        _time(get("enddate")),
    )


def _role(resource: str, documented_as: str, *, required: str, optional: str) -> Role:
    columns = (*required.split(), *optional.split())
    return Role(resource, documented_as, columns, frozenset(required.split()))


def _contract(
    role: Role, columns: tuple[Column, ...], pick: Callable[[Mapping[str, Any]], Sequence[Any]],
    *, is_windowed: bool = False,
) -> Contract:  # fmt: skip
    return Contract(
        resource=role.resource,
        columns=columns,
        pick=pick,
        known_fields=frozenset((*role.columns, "own_id")),
        is_windowed=is_windowed,
    )


ENRICHED_ROLE = _role(
    "enriched_usage",
    "TenantEnrichedUsageEvent",
    required="id eventtime carddefinitiondevelopername unitsconsumed",
    optional="usagetypedevelopername featuredevelopername usagesubtype0 usagesubtype1 resourcetype "
    "resourceidorapiname businessenvtype usagereportingorgid entitlementorgid "
    "correlationidentifier usagevalue multiplier",
)
# Tool inputs, user context and prompt texts are not asked for.
GENERATIVE_ROLE = _role(
    "generative_ai_usage",
    "AiAgentGenerativeAiUsage_std__dlm",
    required="id timestamp promptinputtokencount promptcompletiontokencount",
    optional="aiagentsessionid agentdevelopername agentidentifier agenttypecode aiagenttoolname "
    "featuredescriptorname genaigatewayfeaturename genaigatewaymodelname modelprovidername "
    "modelprovidermodelname modelclasstype isbillableindicator ismeteredindicator "
    "meteringskipreasoncode usagetypecode unittypecode usagequantity tierqualifiertype "
    "prompttotaltokencount prompttemplatedevelopername requestidentifier "
    "telemetrytraceidentifier userid internalorganizationid",
)
DAILY_ROLE = _role(
    "daily_consumption",
    "TenantDailyEntitlementConsumption",
    required="utilizationdate carddefinitiondevelopername unitsconsumed",
    optional="usagetypedevelopername usagebusinessenvtype",
)
TRANSACTION_ROLE = _role(
    "entitlement_transactions",
    "TenantEntitlementTransaction",
    required="entitlementcarddefdevlname entitlementtransactiontype quantity startdate",
    optional="id enddate mgmtorgcontract usagemodel",
)

ENRICHED = _contract(
    ENRICHED_ROLE,
    (
        Column("id", TEXT, required=True),
        Column("event_time", UTC_TIME, required=True),
        Column("card", TEXT, required=True),
        Column("usage_type", TEXT),
        Column("feature", TEXT),
        Column("usage_subtype", TEXT),
        Column("resource_type", TEXT),
        Column("resource_name", TEXT),
        Column("org_id", TEXT),
        Column("correlation_id", TEXT),
        Column("usage_value", MONEY),
        Column("multiplier", MONEY),
        Column("units_consumed", MONEY, required=True),
        Column("tags", TEXT),
    ),
    _enriched,
)
GENERATIVE = _contract(
    GENERATIVE_ROLE,
    (
        Column("id", TEXT, required=True),
        Column("event_time", UTC_TIME, required=True),
        Column("org_id", TEXT),
        Column("session_id", TEXT),
        Column("request_id", TEXT),
        Column("trace_id", TEXT),
        Column("agent", TEXT),
        Column("user_id", TEXT),
        Column("feature", TEXT),
        Column("gateway_model", TEXT),
        Column("model_provider", TEXT),
        Column("provider_model", TEXT),
        Column("prompt_tokens", INTEGER),
        Column("completion_tokens", INTEGER),
        Column("total_tokens", INTEGER),
        Column("tags", TEXT),
    ),
    _generative,
)
DAILY = _contract(
    DAILY_ROLE,
    (
        Column("utilized_at", UTC_TIME, required=True),
        Column("card", TEXT, required=True),
        Column("usage_type", TEXT),
        Column("environment", TEXT),
        Column("units_consumed", MONEY, required=True, signed=True),
    ),
    _daily,
    is_windowed=True,
)
TRANSACTIONS = _contract(
    TRANSACTION_ROLE,
    (
        Column("id", TEXT, required=True),
        Column("card", TEXT, required=True),
        Column("transaction_type", TEXT, required=True),
        Column("usage_model", TEXT),
        Column("contract_id", TEXT),
        Column("quantity", MONEY, required=True, signed=True),
        Column("starts_at", UTC_TIME, required=True),
        Column("ends_at", UTC_TIME),
    ),
    _transaction,
)
