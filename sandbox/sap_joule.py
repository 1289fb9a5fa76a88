"""SAP's Resource Consumption API over one global account: its token, and reports of months.

Under `/sap_joule`. Totals are those of the demo company's months so far, a subaccount a team (named
by the team's id, where SAP has a UUID). Long ranges are throttled; the vendor documents no numbers.
"""

import secrets
from base64 import b64encode
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.company import TEAM_ALIASES
from sandbox.proxy_http import answering, json_body, json_response
from sandbox.vendor import Call, Grounds, JsonObject, own_calls

CLIENT_ID, CLIENT_SECRET = "sb-sandbox!b1|uas!b2", "sandbox-uas-secret"
ACCOUNT, DIRECTORY = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
TOTAL, BILLED = "sap_joule_total", "sap_joule_billed"
CURRENCY = "EUR"
_MODELS = ("gpt-4o-mini", "claude-sonnet-4-5-20250929")
_MONTHS_AT_ONCE = 3
_UNITS_A_MILLION = Decimal("1.90385")
_PRICE = Decimal("0.95")
_REPORTS = "/sap_joule/reporting/reports/v1"
# Service id and name, plan, measure, metric, and the unit's name.
_AI_CORE = ("ai-core", "SAP AI Core", "extended")
_JOULE = ("das-application", "Joule", "standard")


class SapJoule:
    """One global account: its months, and what was restated of them."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._calls = own_calls(grounds, name="sap_joule", a_day=30, models=_MODELS)
        self._tokens: set[str] = set()

    def routes(self) -> list[Route]:
        """Every endpoint of the API, and what steers it."""
        return [
            Route("/sap_joule/uaa/oauth/token", self._sign_in, methods=["POST"]),
            Route(f"{_REPORTS}/monthlyUsage", self._monthly_usage),
            Route(f"{_REPORTS}/monthlySubaccountsCost", self._monthly_cost),
            Route(f"{_REPORTS}/cloudCreditsDetails", self._credits),
            Route(f"{_REPORTS}/subaccountUsage", self._subaccount_usage),
            Route("/_world/sap_joule/totals", answering(self._restate), methods=["POST"]),
            Route("/_world/sap_joule/statements", answering(self._bill), methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """The service key, as a binding holds it."""
        key = {
            "target_url": f"{url}/sap_joule/reporting",
            "uaa": {
                "url": f"{url}/sap_joule/uaa",
                "clientid": CLIENT_ID,
                "clientsecret": CLIENT_SECRET,
            },
        }
        return {"SAP_JOULE_MAIN_SERVICE_KEY": orjson.dumps(key).decode()}

    def counts(self) -> dict[str, int | str]:
        """Totals of all months, by measure."""
        rows = [row for month in self._months() for row in self._rows(month)]
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            sums[row["measureId"]] += Decimal(str(row["usage"]))
        costs = [row for month in self._months() for row in self._costs(month)]
        return {
            "rows": len(rows),
            **{name: format(total.normalize(), "f") for name, total in sorted(sums.items())},
            "cost_amount": format(
                sum((Decimal(str(row["cost"])) for row in costs), Decimal(0)), "f"
            ),
        }

    def _months(self) -> list[str]:
        return sorted({f"{call.at:%Y%m}" for call in self._calls})

    def _rows(self, month: str) -> list[JsonObject]:
        """The rows of a month as last stated: made ones, with what was restated of them."""
        calls = [call for call in self._calls if f"{call.at:%Y%m}" == month]
        made = self._made(month, calls)
        for id, usage in self._grounds.state.all(TOTAL).items():
            if id in made and usage is None:
                del made[id]
            elif id in made:
                made[id] |= {"usage": usage}
        return list(made.values())

    def _made(self, month: str, calls: list[Call]) -> dict[str, JsonObject]:
        measures: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        for call in calls:
            tokens = call.input_tokens + call.cache_read_tokens
            answer = call.output_tokens + call.reasoning_tokens
            measures[call.team_id, "input_tokens", call.model] += tokens
            measures[call.team_id, "output_tokens", call.model] += answer
            measures[call.team_id, "genai_token_capacity_units", call.model] += (
                (tokens + 4 * answer) * _UNITS_A_MILLION / 1_000_000
            ).quantize(Decimal("0.000001"))
            if call.customer is None:
                measures[call.team_id, "requests", ""] += 9
                measures[call.team_id, "ai_units", ""] += Decimal("0.018")
        if calls:
            measures["DEFAULT_SA", "capacity_units_grounding", "vector_storage"] = Decimal("0.42")
            measures[calls[0].team_id, "agent_steps", ""] = Decimal(len(calls))
            measures[calls[0].team_id, "hana_capacity_units", ""] = Decimal(12)
        return {
            f"{month}/{subaccount}/{measure}/{application}": self._row(
                month, subaccount, measure, application, float(total)
            )
            for (subaccount, measure, application), total in sorted(measures.items())
        }

    def _row(
        self, month: str, subaccount: str, measure: str, application: str, usage: float
    ) -> JsonObject:
        service, name, plan = _AI_CORE if application else _JOULE
        if measure == "agent_steps":
            service, name, plan = "joule-studio", "Joule Studio", "build"
        elif measure == "hana_capacity_units":
            service, name, plan = "hana-cloud", "SAP HANA Cloud", "hana"
        first = datetime.strptime(f"{month}01", "%Y%m%d").date()  # noqa: DTZ007
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        return {
            "globalAccountId": ACCOUNT,
            "globalAccountName": "Acme",
            "directoryId": DIRECTORY,
            "directoryName": "All teams",
            "subaccountId": subaccount,
            "subaccountName": TEAM_ALIASES.get(subaccount, "REPORTED-AT-GLOBAL-ACCOUNT-LEVEL"),
            "dataCenter": "cf-eu10",
            "dataCenterName": "Europe (Frankfurt)",
            "environmentInstanceId": None,
            "environmentInstanceName": self._grounds.canary or None,
            "identityZone": subaccount,
            "instanceId": None,
            "spaceId": None,
            "spaceName": None,
            "reportYearMonth": int(month),
            "serviceId": service,
            "serviceName": name,
            "plan": plan,
            "planName": plan,
            "measureId": measure,
            "metricName": measure.replace("_", " ").title(),
            "unitSingular": measure,
            "unitPlural": measure,
            "application": application or None,
            "usage": usage,
            "startIsoDate": first.isoformat(),
            "endIsoDate": last.isoformat(),
        }

    def _costs(self, month: str) -> list[JsonObject]:
        """What capacity units cost: estimates until the statement, which is a little lower."""
        is_billed = bool(self._grounds.state.get(BILLED, id=month))
        price = _PRICE - Decimal("0.05") if is_billed else _PRICE
        usage: dict[str, Decimal] = defaultdict(Decimal)
        rows = {}
        for row in self._rows(month):
            if row["measureId"] == "genai_token_capacity_units":
                rows[row["subaccountId"]] = row
                usage[row["subaccountId"]] += Decimal(str(row["usage"]))
        left_out = ("application", "environmentInstanceId", "environmentInstanceName", "spaceId",
                    "instanceId", "identityZone", "spaceName")  # fmt: skip
        return [
            {
                **{name: value for name, value in rows[subaccount].items() if name not in left_out},
                # A text, as the real one may send it.
                "usage": str(total),
                "actualUsage": float(total),
                "chargedBlocks": float(-(-total // 1)),
                "quota": 0.0,
                "crmSku": "8099999",
                "currency": CURRENCY,
                "cost": float((total * price).quantize(Decimal("0.01"))),
                "estimated": not is_billed,
                "paygCost": 0.0,
                "cloudCreditsCost": float((total * price).quantize(Decimal("0.01"))),
            }
            for subaccount, total in sorted(usage.items())
        ]

    async def _sign_in(self, request: Request) -> Response:
        basic = b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            body = {"error": "unauthorized", "error_description": "Bad credentials"}
            return json_response(body, status=401)
        token = secrets.token_hex(16)
        self._tokens.add(token)
        scope = "uas!b0000.UAS.reporting.GA_Admin"
        return json_response(
            {"access_token": token, "token_type": "bearer", "expires_in": 43199, "scope": scope}
        )

    async def _monthly_usage(self, request: Request) -> Response:
        return self._report(request, self._rows)

    async def _monthly_cost(self, request: Request) -> Response:
        return self._report(request, self._costs)

    def _report(self, request: Request, rows: Any) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        asked = [request.query_params.get(name, "") for name in ("fromDate", "toDate")]
        if not all(len(text) == 6 and text.isdigit() for text in asked):
            return json_response({"error": "fromDate and toDate must be YYYYMM"}, status=400)
        first, last = (int(text[:4]) * 12 + int(text[4:]) - 1 for text in asked)
        if last - first >= _MONTHS_AT_ONCE:
            return json_response(
                {"error": "Too many requests"}, status=429, headers={"Retry-After": "1"}
            )
        months = [f"{n // 12:04}{n % 12 + 1:02}" for n in range(first, last + 1)]
        return json_response({"content": [row for month in months for row in rows(month)]})

    async def _credits(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        stated = self._grounds.as_of.date()
        phase = {
            "phaseStartDate": f"{stated.year}-01-01",
            "phaseEndDate": f"{stated.year}-12-31",
            "phaseUpdates": [
                {
                    "phaseUpdatedOn": stated.isoformat(),
                    "balance": 38211.4,
                    "cloudCreditsForPhase": 50000.0,
                }
            ],
        }
        contract = {
            "contractStartDate": f"{stated.year}-01-01",
            "contractEndDate": f"{stated.year + 2}-12-31",
            "currency": CURRENCY,
            "phases": [phase],
        }
        return json_response({"globalAccountId": ACCOUNT, "contracts": [contract]})

    async def _subaccount_usage(self, request: Request) -> Response:
        """Tokens by the day; the docs want the password grant here, sample code does without."""
        refused = self._refused(request)
        if refused:
            return refused
        query = request.query_params
        days: dict[tuple[str, str], int] = defaultdict(int)
        for call in self._calls:
            day = f"{call.at:%Y%m%d}"
            if (
                call.team_id == query["subaccountId"]
                and query["fromDate"] <= day <= query["toDate"]
            ):
                days[day, call.model] += call.input_tokens + call.cache_read_tokens
        content = []
        for (day, model), total in sorted(days.items()):
            row = self._row(day[:6], query["subaccountId"], "input_tokens", model, float(total))
            del row["reportYearMonth"]
            content.append(row | {"periodStartDate": int(day), "periodEndDate": int(day)})
        return json_response({"content": content})

    def _refused(self, request: Request) -> Response | None:
        if request.headers.get("authorization", "").removeprefix("Bearer ") in self._tokens:
            return None
        return json_response({"error": "Unauthorized"}, status=401)

    async def _restate(self, request: Request) -> Response:
        """A total by `<YYYYMM>/<subaccount>/<measure>/<application>`; null takes it away."""
        body = await json_body(request)
        self._grounds.state.put(TOTAL, id=str(body["id"]), body=body["usage"])
        return json_response({"restated": body["id"]})

    async def _bill(self, request: Request) -> Response:
        body = await json_body(request)
        self._grounds.state.put(BILLED, id=str(body["month"]), body=True)
        return json_response({"billed": body["month"]})
