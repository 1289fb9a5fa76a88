"""A global account's reporting API over months of a test, and runs of the source against it."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from raw_loads import FIXTURES
from scripted_server import Answer, Asked, ScriptedServer, scripted_server

from ingestion.pipeline import pipeline_for, run_source
from ingestion.sap_joule import sap_joule_source

SAP_JOULE = "sap-joule-main"
NOW = datetime(2026, 10, 10, 6, tzinfo=UTC)
SECRET = "uas-client-secret"
REPORTS = "/reports/v1"
PULLS = (
    (datetime(2026, 10, 10, 6, tzinfo=UTC), "monthlyUsage_202610_pull_2026-10-10"),
    (datetime(2026, 10, 11, 6, tzinfo=UTC), "monthlyUsage_202610_pull_2026-10-11"),
    (datetime(2026, 11, 3, 6, tzinfo=UTC), "monthlyUsage_202610_pull_2026-11-03_before_statement"),
    (datetime(2026, 11, 5, 6, tzinfo=UTC), "monthlyUsage_202610_pull_2026-11-05_restated"),
)
Row = dict[str, Any]


def recorded(name: str) -> list[Row]:
    """The rows of a recorded report."""
    path = FIXTURES / "sap_joule" / f"{name}.json"
    return list(json.loads(path.read_text(encoding="utf-8"))["content"])


@dataclass
class Account:
    """What the account reports, by month, and what a test makes of its answers."""

    usage: dict[str, list[Row]] = field(default_factory=dict)
    costs: dict[str, list[Row]] = field(default_factory=dict)
    days: list[Row] = field(default_factory=list)
    credits: Any = field(default_factory=lambda: {"globalAccountId": "a", "contracts": []})
    rewrite: Callable[[Asked, Any], Any] | None = None
    script: ScriptedServer = field(
        default_factory=lambda: ScriptedServer(answer=lambda _: Answer())
    )

    @property
    def service_key(self) -> str:
        """The key of its service instance."""
        uaa = {"url": self.script.url, "clientid": "sb-uas!b1", "clientsecret": SECRET}
        return json.dumps({"uaa": uaa, "target_url": self.script.url})

    def asked_months(self, report: str) -> list[str]:
        """The months a report was asked for, in order."""
        return [
            asked.query["fromDate"]
            for asked in self.script.asked
            if asked.path == f"{REPORTS}/{report}"
        ]

    def answer(self, asked: Asked) -> Answer:
        """What the account says, as a test rewrites it."""
        body = self._said(asked)
        return Answer(self.rewrite(asked, body) if self.rewrite else body)

    def _said(self, asked: Asked) -> Any:
        month = asked.query.get("fromDate", "")
        if asked.path == "/oauth/token":
            return {"access_token": "uas-token", "token_type": "bearer", "expires_in": 43199}
        if asked.path == f"{REPORTS}/cloudCreditsDetails":
            return self.credits
        if asked.path == f"{REPORTS}/subaccountUsage":
            in_month = [row for row in self.days if str(row["periodStartDate"])[:6] == month[:6]]
            return {"content": in_month}
        if asked.path == f"{REPORTS}/monthlySubaccountsCost":
            return {"content": self.costs.get(month, [])}
        return {"content": self.usage.get(month, [])}


@contextmanager
def account_server() -> Iterator[Account]:
    """A running account that has used nothing."""
    account = Account()
    with scripted_server(account.answer) as script:
        account.script = script
        yield account


def load_sap_joule(
    home: Path,
    account: Account,
    *,
    now: datetime = NOW,
    deep_reread: bool = False,
    days: int = 0,
    meters: Sequence[Any] = (),
    claimed: Sequence[str] = (),
    subaccounts: Sequence[str] = (),
    service_key: str | None = None,
    kind: str = "global",
    **options: Any,
) -> None:
    """One run of the source; the first goes back a few days, so to the months they are in."""
    source = sap_joule_source(
        **options,
        account=kind,
        meters=meters,
        claimed_services=claimed,
        daily_subaccounts=subaccounts,
        service_key=account.service_key if service_key is None else service_key,
        instance=SAP_JOULE,
        now=now,
        deep_reread=deep_reread,
        history=timedelta(days=days),
    )
    run_source(pipeline_for("sap_joule", instance=SAP_JOULE, home=home), source)
