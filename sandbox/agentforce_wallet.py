"""What the demo company's Data Cloud holds about its agents, and the SQL that can be asked of it.

Objects and columns carry the vendor's three naming schemes, and one column its known misspelling.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.vendor import Call, Grounds, JsonObject, own_calls

ORG, SANDBOX_ORG = "00D000000000001EAA", "00D000000000009EAA"
ADDED, PROCESSED, REFUNDED = "agentforce_event", "agentforce_processed", "agentforce_refund"
EVENTS = "TenantEnrichedUsageEvent__dll"
CALLS = "std__AiAgentGenerativeAiUsageDmo__dlm"
DAYS = "TenantDailyEntitlementConsumption__dll"
TRANSACTIONS = "TenantEntitlementTransaction__dll"
_MODELS = ("gpt-4o-mini", "gpt-4.1", "claude-sonnet-4-5-20250929")
_TOKENS_AN_ACTION = 10_000
_ACTIONS = ("QueryRecords", "AnswerQuestions", "DraftEmail")


@dataclass(frozen=True)
class Table:
    """One object: its kind, and its rows by column name."""

    entity_type: str
    columns: tuple[str, ...]
    rows: list[JsonObject]


class Wallet:
    """The objects of the data space as they stand now."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._acts = own_calls(grounds, name="agentforce", a_day=25, models=_MODELS)

    def tables(self) -> dict[str, Table]:
        """Every object by name."""
        events, calls = self._events(), self._calls()
        return {
            EVENTS: _table("DataLakeObject", events, _EVENT_FIELDS),
            CALLS: _table("DataModelObject", calls, _CALL_FIELDS, prefix="std__"),
            DAYS: _table("DataLakeObject", self._days(events), _DAY_FIELDS),
            TRANSACTIONS: _table("DataLakeObject", self._transactions(), _TRANSACTION_FIELDS),
        }

    def counts(self) -> dict[str, int | str]:
        """Rows of each object, units by card, and tokens."""
        events, calls = self._events(), self._calls()
        units = {
            card: sum(
                (Decimal(str(event["unitsconsumed"])) for event in events
                 if event["carddefinitiondevelopername"] == card),
                Decimal(0),
            )
            for card in ("FlexCredits", "Conversations")
        }  # fmt: skip
        return {
            "events": len(events),
            "credits": format(units["FlexCredits"], "f"),
            "conversations": format(units["Conversations"], "f"),
            "model_calls": len(calls),
            "input_tokens": int(sum(call["PromptInputTokenCount"] for call in calls)),
            "output_tokens": int(sum(call["PromptCompletionTokenCount"] for call in calls)),
            "transactions": len(self._transactions()),
        }

    def _events(self) -> list[JsonObject]:
        added = self._grounds.state.all(ADDED)
        late = [
            _event(id, at=body["at"], kind="StandardAgentAction", value=1, multiplier=body["units"])
            for id, body in added.items()
        ]
        return [_event_of(call, self._grounds.canary) for call in self._acts] + late

    def _calls(self) -> list[JsonObject]:
        rows = []
        for call in self._acts:
            rows.append(_model_call(call, is_planner=False, canary=self._grounds.canary))
            if call.number % 3 == 0:
                rows.append(_model_call(call, is_planner=True, canary=self._grounds.canary))
        return rows

    def _days(self, events: list[JsonObject]) -> list[JsonObject]:
        """Totals by day; the last two lack their afternoon until Salesforce has processed them."""
        lagging = [f"{self._grounds.as_of - timedelta(days=n):%Y-%m-%d}" for n in (0, 1)]
        if self._grounds.state.get(PROCESSED, id="all"):
            lagging = []
        totals: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
        for event in events:
            day, hour = event["eventime"][:10], event["eventime"][11:13]
            if day in lagging and hour >= "12":
                continue
            key = (
                day, event["carddefinitiondevelopername"], event["usagetypedevelopername"],
                event["businessenvtype"],
            )  # fmt: skip
            totals[key] += Decimal(str(event["unitsconsumed"]))
        return [
            {
                "utilizationdate": f"{day}T00:00:00.000Z",
                "carddefinitiondevelopername": card,
                "usagetypedevelopername": kind,
                "usagebusinessenvtype": environment,
                "unitsconsumed": float(total),
            }
            for (day, card, kind, environment), total in sorted(totals.items())
        ]

    def _transactions(self) -> list[JsonObject]:
        begins = self._grounds.as_of - timedelta(days=self._grounds.days)
        rows = [_transaction("8Tx-1", 500_000, begins, "New")]
        rows.append(_transaction("8Tx-2", 2_000, begins + timedelta(days=3), "Credit"))
        for id, body in self._grounds.state.all(REFUNDED).items():
            at = datetime.fromisoformat(body["at"])
            rows.append(_transaction(id, body["units"], at, "Refund"))
        return rows if not self._grounds.is_replay else []


def _table(
    entity_type: str, rows: list[JsonObject], fields: Iterable[str], *, prefix: str = ""
) -> Table:
    """An object has its columns also where it has no row, as in a replayed world."""
    named = {field: f"{prefix}{field}__c" for field in fields}
    return Table(
        entity_type,
        tuple(named.values()),
        [{named[field]: value for field, value in row.items()} for row in rows],
    )


def _event_of(call: Call, canary: str) -> JsonObject:
    at = _iso(call.at)
    id = f"tue-{call.number:06}"
    if call.dice >= 0.9:
        return _event(id, at=at, kind="Agentforce", value=1, multiplier=1, canary=canary)
    actions = 1 + (call.input_tokens + call.cache_read_tokens) // _TOKENS_AN_ACTION
    kind = (
        "StandardAgentAction" if call.dice < 0.6
        else "CustomAgentAction" if call.dice < 0.8
        else "StandardAgentVoiceAction"
    )  # fmt: skip
    multiplier = 30 if "Voice" in kind else 16 if call.number % 20 == 7 else 20
    return _event(id, at=at, kind=kind, value=actions, multiplier=multiplier, canary=canary)


def _event(
    id: str, *, at: str, kind: str, value: int, multiplier: int, canary: str = ""
) -> JsonObject:
    is_talk = kind == "Agentforce"
    environment = "Sandbox" if multiplier == 16 else "Production"
    return {
        "id": id,
        "eventime": at,
        "carddefinitiondevelopername": "Conversations" if is_talk else "FlexCredits",
        "usagetypedevelopername": kind,
        "featuredevelopername": "AgentforceServiceAgent" if is_talk else "AgentAction",
        "usagesubtype0": environment,
        "usagesubtype1": "ASA Messaging" if is_talk else kind,
        "resourcetype": "MessagingSession" if is_talk else "GenAiFunctionDefinition",
        "resourceidorapiname": f"0Mw{id}" if is_talk else _ACTIONS[len(id + at) % 3],
        "businessenvtype": environment,
        "usagereportingorgid": SANDBOX_ORG if environment == "Sandbox" else ORG,
        "correlationidentifier": f"corr-{id}",
        "usagevalue": float(value),
        "multiplier": float(multiplier),
        "unitsconsumed": float(value * multiplier),
        "additionalinfo": canary,
    }


def _model_call(call: Call, *, is_planner: bool, canary: str) -> JsonObject:
    """The row of a model call; the planner's own are neither billed nor anybody's."""
    prompt = 500 if is_planner else call.input_tokens + call.cache_read_tokens
    answer = 40 if is_planner else call.output_tokens + call.reasoning_tokens
    user = hashlib.sha256(call.user_email.encode()).hexdigest()[:12]
    return {
        "Id": f"genu-{call.number:06}{'-p' if is_planner else ''}",
        "Timestamp": _iso(call.at),
        "AiAgentSessionId": f"sess-{call.number // 4}",
        "AgentDeveloperName": call.agent_id or "Case_Helper",
        "AgentTypeCode": "EinsteinServiceAgent",
        "AiAgentToolName": None if is_planner else _ACTIONS[call.number % 3],
        "GenAiGatewayFeatureName": "PlannerService",
        "GenAiGatewayModelName": f"sfdc_ai__{call.model}",
        "ModelProviderName": "OpenAI" if call.model.startswith("gpt") else "Anthropic",
        "ModelProviderModelName": call.model,
        "IsBillableIndicator": "false" if is_planner else "true",
        "IsMeteredIndicator": "false" if is_planner else "true",
        "MeteringSkipReasonCode": "PLANNER_CALL" if is_planner else None,
        "UsageTypeCode": None if is_planner else "StandardAgentAction",
        "UsageQuantity": 0.0 if is_planner else 1.0,
        "PromptInputTokenCount": float(prompt),
        "PromptCompletionTokenCount": float(answer),
        "PromptTotalTokenCount": float(prompt + answer),
        "RequestIdentifier": f"req-{call.number}{'-p' if is_planner else ''}",
        "TelemetryTraceIdentifier": f"trace-{call.number}",
        "UserId": "NOT_SET" if is_planner else f"005{user}",
        "UserContext": canary,
        "InternalOrganizationId": ORG,
    }


def _transaction(id: str, units: int, at: datetime, kind: str) -> JsonObject:
    return {
        "id": id,
        "entitlementcarddefdevlname": "FlexCredits",
        "quantity": float(units),
        "startdate": _iso(at),
        "enddate": _iso(at + timedelta(days=365)),
        "mgmtorgcontract": "800000000000001AAA",
        "usagemodel": "Prepaid",
        "entitlementtransactiontype": kind,
    }


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


_ANY_CALL = Call(
    number=0, at=datetime(2026, 1, 1, tzinfo=UTC), team_id="", user_email="", agent_id=None,
    customer=None, feature="", model="", input_tokens=0, cache_read_tokens=0, output_tokens=0,
    reasoning_tokens=0, latency_ms=0, is_error=False, dice=0.0,
)  # fmt: skip
_EVENT_FIELDS = tuple(_event_of(_ANY_CALL, ""))
_CALL_FIELDS = tuple(_model_call(_ANY_CALL, is_planner=False, canary=""))
_TRANSACTION_FIELDS = tuple(_transaction("", 0, _ANY_CALL.at, ""))
_DAY_FIELDS = (
    "utilizationdate", "carddefinitiondevelopername", "usagetypedevelopername",
    "usagebusinessenvtype", "unitsconsumed",
)  # fmt: skip


def answer_query(tables: dict[str, Table], sql: str) -> tuple[list[str], list[list[Any]]] | None:
    """Columns and rows of the one shape of SQL the stand-in knows; None where it is another."""
    from_ = sql.split(" from ", 1)
    if len(from_) != 2 or not from_[0].startswith("select "):
        return None
    columns = [name.strip().strip('"') for name in from_[0].removeprefix("select ").split(",")]
    name, _, rest = from_[1].strip().partition(" ")
    table = tables.get(name.strip('"'))
    if table is None or not set(columns) <= set(table.columns):
        return None
    where, _, order = rest.partition("order by ")
    rows = table.rows
    for condition in where.removeprefix("where ").split(" and "):
        if condition.strip():
            column, operator, bound = (part.strip("\"'") for part in condition.split())
            if operator == ">=":
                rows = [row for row in rows if row[column] >= bound]
            else:
                rows = [row for row in rows if row[column] < bound]
    keys = [key.strip().strip('"') for key in order.split(",") if key.strip()]
    rows = sorted(rows, key=lambda row: [row[key] for key in keys]) if keys else rows
    return columns, [[row[column] for column in columns] for row in rows]
