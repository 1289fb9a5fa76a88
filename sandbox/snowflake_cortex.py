"""A simulated Snowflake account with a year of AI features: its usage views, read over SQL.

`POST /_world/snowflake_cortex/late` adds a REST call that started `hours_ago`; `…/complete` ends
the queries whose last hours are still open, which makes those hours grow.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import snowflake_rows as rows
from sandbox.proxy_http import JsonObject, answering, bad_request, json_body, json_response
from sandbox.snowflake_account import SnowflakeAccount, new_private_key
from sandbox.snowflake_acts import IDS
from sandbox.vendor import Grounds

ACCOUNT, USER, ROLE = "acme-prod", "METERHOUSE", "METERHOUSE_READER"
_STATE, _LATE, _SECRET = "snowflake_cortex", "snowflake_cortex_late", "secret"
_CREDITS = ("CREDITS", "TOKEN_CREDITS")


class SnowflakeCortex:
    """The account, and what may still happen to it."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._account = SnowflakeAccount(
            account=ACCOUNT,
            user=USER,
            role=ROLE,
            private_key=self._private_key,
            tables=self._tables,
        )

    def routes(self) -> list[Route]:
        """The connector's paths, at the root as it wants them, and two of the world."""
        return [
            *self._account.routes(),
            Route("/_world/snowflake_cortex/late", answering(self._late), methods=["POST"]),
            Route("/_world/snowflake_cortex/complete", answering(self._complete), methods=["POST"]),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """The key pair's private half and where the stand-in answers."""
        return {
            "SNOWFLAKE_MAIN_PRIVATE_KEY": self._private_key(),
            "SNOWFLAKE_MAIN_ENDPOINT_URL": url,
        }

    def counts(self) -> dict[str, int | str]:
        """Rows and exact credits of the views that add up, without search's repeated embedding."""
        tables = self._tables()
        counted: dict[str, int | str] = {}
        total = Decimal(0)
        for view in rows.SUMMED:
            kept = [row for row in tables[view] if "EMBED" not in row.get("CONSUMPTION_TYPE", "")]
            name = view.partition(".")[2].lower()
            counted[f"{name}_rows"] = len(kept)
            spent = sum((_credits(row) for row in kept), Decimal(0))
            if view != rows.REST_API:
                counted[f"{name}_credits"] = str(spent)
            total += spent
        counted["credits"] = str(total)
        counted["rest_tokens"] = sum(row["TOKENS"] for row in tables[rows.REST_API])
        return counted

    def _tables(self) -> rows.Tables:
        late = [
            {
                **row,
                "START_TIME": datetime.fromisoformat(row["START_TIME"]),
                "END_TIME": datetime.fromisoformat(row["END_TIME"]),
            }
            for row in self._grounds.state.recorded(_LATE)
        ]
        is_completed = self._grounds.state.get(_STATE, id="completed") is not None
        return rows.tables_of(self._grounds, is_completed=is_completed, late=late)

    def _private_key(self) -> str:
        """Made once, kept in the state."""
        kept = self._grounds.state.get(_SECRET, id="snowflake_cortex")
        if kept is None:
            self._grounds.state.add(_SECRET, documents={"snowflake_cortex": new_private_key()})
            kept = self._grounds.state.get(_SECRET, id="snowflake_cortex")
        return str(kept)

    async def _late(self, request: Request) -> Response:
        hours = (await json_body(request)).get("hours_ago")
        if not isinstance(hours, int) or hours < 0:
            raise bad_request("hours_ago: a whole number is expected", param="hours_ago")
        started = (self._grounds.as_of - timedelta(hours=hours, minutes=1)).astimezone(UTC)
        number = len(self._grounds.state.recorded(_LATE))
        row: JsonObject = {
            "START_TIME": started.isoformat(),
            "END_TIME": (started + timedelta(seconds=3)).isoformat(),
            "REQUEST_ID": f"req-late-{number}",
            "MODEL_NAME": "claude-sonnet-4-5",
            "TOKENS": 1_500,
            "TOKENS_GRANULAR": {"input": 1_200, "output": 300},
            "USER_ID": str(min(IDS.values())),
            "INFERENCE_REGION": "AWS_GLOBAL",
        }
        self._grounds.state.record(_LATE, name="row", body=row)
        self._account.changed()
        return json_response({"added": 1, "request_id": row["REQUEST_ID"]})

    async def _complete(self, request: Request) -> Response:
        functions = self._tables()[rows.AI_FUNCTIONS]
        self._grounds.state.put(_STATE, id="completed", body=True)
        self._account.changed()
        return json_response({"completed": sum(not row["IS_COMPLETED"] for row in functions)})


def _credits(row: JsonObject) -> Decimal:
    """What a row costs; PTU and fine-tuning are not bought here."""
    return next((row[name] for name in _CREDITS if name in row), Decimal(0))
