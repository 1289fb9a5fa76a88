"""What is taken out of SAP's usage and cost reports, and which meter a measure is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

from ingestion.config_types import Declared, Text
from ingestion.contracts import MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import tags_text
from ingestion.times import utc_text

OTHER, UNMAPPED = "other", "unmapped"
# Where the service, the measure or the metric says one of these, the row is about AI.
_AI_WORD = re.compile(r"(?<![a-z])(ai|genai|joule|das)(?![a-z])")


class Meter(Declared):
    """What a measure of a service counts in; `*` stands for any plan.

    A unit that is informational shows use whose money another measure carries. A peak (users, GB)
    is no sum: of rows that are one, the highest counts.
    """

    service: Text
    plan: Text = "*"
    measure: Text
    unit: Text
    aggregation: Literal["sum", "max"] = "sum"
    is_informational: bool = False


def _meters(service: str, unit: str, *measures: str, is_informational: bool = False) -> list[Meter]:
    return [
        Meter(service=service, measure=measure, unit=unit, is_informational=is_informational)
        for measure in measures
    ]


# Measures of AI Core were seen in public code; those of Joule are not documented anywhere.
METERS: tuple[Meter, ...] = (
    *_meters(
        "ai-core",
        "capacity_units",
        "capacity_units",
        "genai_token_capacity_units",
        "capacity_units_grounding",
        "data_indexed_in_gbs_per_day",
    ),
    *_meters("ai-core", "input_tokens", "input_tokens", is_informational=True),
    *_meters("ai-core", "output_tokens", "output_tokens", is_informational=True),
    *_meters("das-application", "ai_units", "ai_units"),
    *_meters("das-application", "requests", "requests", is_informational=True),
    *_meters("das-service", "ai_units", "ai_units"),
    *_meters("das-service", "requests", "requests", is_informational=True),
)


def meter_of(record: Mapping[str, Any], meters: Iterable[Meter]) -> tuple[str, str, bool]:
    """Unit, aggregation and whether it is informational; the first meter that fits.

    Without one: `unmapped` where the row looks like AI, else `other`.
    """
    service, plan, measure = (record.get(name) for name in ("serviceId", "plan", "measureId"))
    for meter in meters:
        if (meter.service, meter.measure) == (service, measure) and meter.plan in ("*", plan):
            return meter.unit, meter.aggregation, meter.is_informational
    names = ("serviceId", "serviceName", "measureId", "metricName", "categoryName")
    words = " ".join(str(record.get(name) or "") for name in names).lower().replace("_", " ")
    looks_like_ai = _AI_WORD.search(words) or "artificial intelligence" in words
    return (UNMAPPED if looks_like_ai else OTHER), "sum", False


def _text(value: Any) -> Any:
    """A text; an empty one says nothing. A number that stands for a text is none."""
    return None if value == "" else value


def _day(value: Any) -> Any:
    """A day as either report writes it (20261005, `2026-10-05`), as its first instant in UTC."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and re.fullmatch(r"\d{8}", text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return utc_text(text)


_KEY_FIELDS = (
    "globalAccountId", "directoryId", "subaccountId", "environmentInstanceId", "spaceId",
    "instanceId", "application", "serviceId", "plan", "measureId",
)  # fmt: skip
_TAG_FIELDS = {
    "global_account": "globalAccountName", "directory": "directoryName",
    "subaccount": "subaccountName", "service": "serviceName", "metric": "metricName",
    "plan": "plan", "measure": "measureId", "unit": "unitSingular",
}  # fmt: skip
_USAGE_NAMES = (
    "dataCenter dataCenterName directoryName endIsoDate environmentInstanceName globalAccountName "
    "identityZone metricName planName reportYearMonth serviceName spaceName startIsoDate "
    "subaccountName unitPlural unitSingular usage our_unit our_aggregation our_informational"
)
_COST_NAMES = (
    "actualUsage chargedBlocks cloudCreditsCost cost crmSku currency estimated paygCost quota"
)
_CREDIT_NAMES = (
    "globalAccountId contractStartDate contractEndDate currency phaseStartDate phaseEndDate "
    "phaseUpdatedOn balance cloudCreditsForPhase"
)
_USAGE_FIELDS = frozenset((*_KEY_FIELDS, *_USAGE_NAMES.split()))


def _key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(_text(record.get(name)) for name in _KEY_FIELDS)


def _tags(record: Mapping[str, Any]) -> str | None:
    picked = {tag: record.get(name) for tag, name in _TAG_FIELDS.items()}
    return tags_text({tag: text for tag, text in picked.items() if isinstance(text, str) and text})


def _usage(record: Mapping[str, Any]) -> Sequence[Any]:
    return (
        *_key(record),
        record.get("our_unit"),
        record.get("our_aggregation"),
        record.get("our_informational"),
        _text(record.get("dataCenter")),
        record.get("usage"),
        _tags(record),
    )


def _daily(record: Mapping[str, Any]) -> Sequence[Any]:
    return (_day(record.get("periodStartDate")), *_usage(record))


def _cost(record: Mapping[str, Any]) -> Sequence[Any]:
    get = record.get
    return (
        *(_text(get(name)) for name in ("globalAccountId", "directoryId", "subaccountId")),
        *(_text(get(name)) for name in ("serviceId", "plan", "measureId")),
        _text(get("crmSku")),
        get("our_unit"),
        get("our_informational"),
        get("currency"),
        get("estimated"),
        get("cost"),
        get("usage"),
        get("actualUsage"),
        get("chargedBlocks"),
        get("quota"),
        get("paygCost"),
        get("cloudCreditsCost"),
        _tags(record),
    )


def _credit(record: Mapping[str, Any]) -> Sequence[Any]:
    get = record.get
    return (
        _text(get("globalAccountId")),
        _day(get("contractStartDate")),
        _day(get("contractEndDate")),
        get("currency"),
        _day(get("phaseStartDate")),
        _day(get("phaseEndDate")),
        _day(get("phaseUpdatedOn")),
        get("balance"),
        get("cloudCreditsForPhase"),
    )


_USAGE_COLUMNS = (
    Column("global_account_id", TEXT),
    Column("directory_id", TEXT),
    Column("subaccount_id", TEXT, required=True),
    Column("environment_instance_id", TEXT),
    Column("space_id", TEXT),
    Column("instance_id", TEXT),
    Column("application", TEXT),
    Column("service_id", TEXT, required=True),
    Column("plan", TEXT),
    Column("measure_id", TEXT, required=True),
    Column("unit", TEXT, required=True),
    Column("aggregation", TEXT, required=True),
    Column("is_informational", pa.bool_(), required=True),
    Column("data_center", TEXT),
    # A total may be corrected below zero.
    Column("usage", MONEY, required=True, signed=True),
    Column("tags", TEXT),
)

MONTHLY_USAGE = Contract(
    resource="monthly_usage",
    columns=_USAGE_COLUMNS,
    pick=_usage,
    known_fields=_USAGE_FIELDS,
    is_windowed=True,
)
DAILY_USAGE = Contract(
    resource="daily_usage",
    columns=(Column("day_at", UTC_TIME, required=True), *_USAGE_COLUMNS),
    pick=_daily,
    known_fields=_USAGE_FIELDS | {"categoryId", "categoryName", "periodStartDate", "periodEndDate"},
    is_windowed=True,
)
MONTHLY_COST = Contract(
    resource="monthly_cost",
    columns=(
        *_USAGE_COLUMNS[:3],
        *(column for column in _USAGE_COLUMNS if column.name in ("service_id", "plan")),
        Column("measure_id", TEXT),
        Column("crm_sku", TEXT),
        Column("unit", TEXT, required=True),
        # The claim of a row that is informational is not money of an event.
        Column("is_informational", pa.bool_(), required=True),
        Column("currency", TEXT, required=True),
        Column("is_estimated", pa.bool_(), required=True),
        Column("cost_amount", MONEY, required=True, signed=True),
        Column("usage", MONEY, signed=True),
        Column("actual_usage", MONEY, signed=True),
        Column("charged_blocks", MONEY, signed=True),
        Column("quota", MONEY, signed=True),
        Column("payg_cost_amount", MONEY, signed=True),
        Column("cloud_credits_cost_amount", MONEY, signed=True),
        Column("tags", TEXT),
    ),
    pick=_cost,
    known_fields=_USAGE_FIELDS | frozenset(_COST_NAMES.split()),
    is_windowed=True,
)
CLOUD_CREDITS = Contract(
    resource="cloud_credits",
    columns=(
        Column("global_account_id", TEXT),
        Column("contract_starts_at", UTC_TIME, required=True),
        Column("contract_ends_at", UTC_TIME),
        Column("currency", TEXT, required=True),
        Column("phase_starts_at", UTC_TIME, required=True),
        Column("phase_ends_at", UTC_TIME),
        Column("stated_at", UTC_TIME),
        Column("balance_amount", MONEY, signed=True),
        Column("credits_amount", MONEY, signed=True),
    ),
    pick=_credit,
    known_fields=frozenset(_CREDIT_NAMES.split()),
    is_windowed=True,
)
