"""SAP Joule and AI Core: one row is the total so far of one measure in one month, not an event.

Billed by: SAP, in AI units and capacity units; the balance statement wins. Figures since the last
statement are estimates and may fall. Staging tells usage from the differences of readings.
Auth: a service key of Usage Data Management (service `uas`), plan `reporting-directory` where one
directory is enough (`account: directory`), else `reporting-ga-admin`. Client credentials.
Pages: none; long ranges are throttled, so one month a call. Read daily: this month and the two
before it, weekly the last six. A month that reads as last time is not appended again.
Costs stand in the contract's currency: `claimed_services` names those whose cost in USD is the
money of their usage. Use by the day (`daily_subaccounts`) is shown beside the months, never added.
Docs: help.sap.com (Usage Data Management, Resource Consumption API)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, Self

import dlt
from dlt.extract import DltResource
from pydantic import model_validator

from ingestion.batches import Batch
from ingestion.config_types import EnvName, Text
from ingestion.contracts import Contract
from ingestion.http import SourceError
from ingestion.resources import rows_rejected_reads
from ingestion.restated import SNAPSHOT, WindowRead, window_batches
from ingestion.sap_joule_api import Reports, read_service_key, sign_in
from ingestion.sap_joule_files import exported_months, rows_of
from ingestion.sap_joule_records import (
    CLOUD_CREDITS,
    DAILY_USAGE,
    METERS,
    MONTHLY_COST,
    MONTHLY_USAGE,
    Meter,
    meter_of,
)
from ingestion.source_config import SourceConfig

MONTHS = 3
DEEP_MONTHS = 6
# By the day no more than four months are answered.
DAILY_MONTHS = 3
HISTORY = timedelta(days=400)

Account = Literal["global", "directory"]
Records = Iterator[tuple[str, Any]]


class SapJouleSource(SourceConfig):
    """One SAP BTP global account, or one directory of it."""

    system: Literal["sap_joule"]
    # Read once a day: a day missed is old.
    stale_after_hours: int = 54
    account: Account = "global"
    # Measures of your contract that are not known here; they come before the known ones.
    meters: tuple[Meter, ...] = ()
    claimed_services: tuple[Text, ...] = ()
    daily_subaccounts: tuple[Text, ...] = ()
    service_key_env: EnvName | None = None
    # Instead of a service key: a folder of exported months (`sap_joule_files`).
    folder_env: EnvName | None = None
    reporting_url_env: EnvName | None = None
    token_url_env: EnvName | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.service_key_env is None) == (self.folder_env is None):
            raise ValueError("say either service_key_env, or folder_env")
        return self


@dataclass(frozen=True)
class _Run:
    """What every resource of one run shares; it signs in when the first row is wanted."""

    reports: Callable[[], Reports]
    folder: Path | None
    account: Account
    meters: Sequence[Meter]
    claimed: Sequence[str]
    subaccounts: Sequence[str]
    instance: str
    now: datetime
    months: int
    history: timedelta


@dlt.source(name="sap_joule", max_table_nesting=0)
def sap_joule_source(
    *,
    account: Account,
    meters: Sequence[Meter],
    claimed_services: Sequence[str],
    daily_subaccounts: Sequence[str],
    service_key: str | None,
    folder: str | None = None,
    reporting_url: str | None = None,
    token_url: str | None = None,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Usage and costs by month, the credits of the contract, and use by the day where wanted."""

    @cache
    def reports() -> Reports:
        return sign_in(
            read_service_key(service_key or "", token_url=token_url, reporting_url=reporting_url)
        )

    run = _Run(
        reports=reports,
        folder=Path(folder) if folder else None,
        account=account,
        meters=(*meters, *METERS),
        claimed=claimed_services,
        subaccounts=daily_subaccounts,
        instance=instance,
        now=now.astimezone(UTC),
        months=DEEP_MONTHS if deep_reread else MONTHS,
        history=history,
    )

    def resource(
        contract: Contract, windows: Callable[[_Run], Iterator[WindowRead]], description: str
    ) -> tuple[DltResource, DltResource, DltResource]:
        return rows_rejected_reads(
            contract.resource,
            lambda: _windowed(run, windows(run), contract),
            description=description,
        )

    return (
        *resource(
            MONTHLY_USAGE,
            _usage_windows,
            "Totals of a month so far, each reading appended where it differs; key of a total: "
            "account, directory, subaccount, environment, space, instance, application, service, "
            "plan, measure and unit.",
        ),
        *resource(
            MONTHLY_COST,
            _cost_windows,
            "Costs of a month so far in the contract's currency, estimated until billed.",
        ),
        *resource(CLOUD_CREDITS, _credit_windows, "Phases of the contract with their balance."),
        *resource(
            DAILY_USAGE,
            _daily_windows,
            "Use by the day of the subaccounts named in the configuration; not to be added.",
        ),
    )


def _windowed(run: _Run, windows: Iterator[WindowRead], contract: Contract) -> Iterator[Batch]:
    return window_batches(
        windows, contract=contract, source_instance=run.instance, extracted_at=run.now
    )


def _usage_windows(run: _Run) -> Iterator[WindowRead]:
    if run.folder is not None:
        for month, path in exported_months(run.folder).items():
            yield WindowRead(month, partial(_exported, run, month, path))
        return
    path = "/monthlyDirectoryUsage" if run.account == "directory" else "/monthlyUsage"
    for month in _months(run, MONTHLY_USAGE):
        yield WindowRead(month, partial(_month_records, run, path, month))


def _cost_windows(run: _Run) -> Iterator[WindowRead]:
    """Costs are told of a global account only."""
    is_told = run.account == "global" and run.folder is None
    for month in _months(run, MONTHLY_COST) if is_told else ():
        yield WindowRead(month, partial(_cost_records, run, month))


def _credit_windows(run: _Run) -> Iterator[WindowRead]:
    if run.account == "global" and run.folder is None:
        yield WindowRead(SNAPSHOT, partial(_phases, run))


def _daily_windows(run: _Run) -> Iterator[WindowRead]:
    for month in _back(run.now, DAILY_MONTHS) if run.subaccounts and run.folder is None else ():
        for subaccount in run.subaccounts:
            yield WindowRead(f"{month}/{subaccount}", partial(_days, run, month, subaccount))


def _months(run: _Run, contract: Contract) -> list[str]:
    """This month and those before it that may still change; at first the whole history."""
    if dlt.current.source_state().get("digests", {}).get(contract.resource):
        return _back(run.now, run.months)
    first = run.now - run.history
    return _back(run.now, (run.now.year - first.year) * 12 + run.now.month - first.month + 1)


def _back(now: datetime, count: int) -> list[str]:
    """The last `count` months as `2026-10`, oldest first."""
    last = now.year * 12 + now.month - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(last - count + 1, last + 1)]


def _month_records(run: _Run, path: str, month: str) -> Records:
    asked = month.replace("-", "")
    rows = run.reports().content(path, params={"fromDate": asked, "toDate": asked})
    for number, row in enumerate(rows, start=1):
        if isinstance(row, dict):
            if str(row.get("reportYearMonth", asked)) != asked:
                raise SourceError(f"sap_joule: {path} answered another month than {month}")
            row |= _metered(run, row)
        yield f"{path} {month} row {number}", row


def _exported(run: _Run, month: str, path: Path) -> Records:
    for place, row in rows_of(path):
        if isinstance(row, dict):
            asked = month.replace("-", "")
            if str(row.get("reportYearMonth", asked)) != asked:
                raise SourceError(f"sap_joule: {path.name} holds another month than {month}")
            row |= _metered(run, row)
        yield place, row


def _metered(run: _Run, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the row counts in; the money of a claimed service stands on its cost row."""
    unit, aggregation, is_informational = meter_of(row, run.meters)
    return {
        "our_unit": unit,
        "our_aggregation": aggregation,
        "our_informational": is_informational or row.get("serviceId") in run.claimed,
    }


def _cost_records(run: _Run, month: str) -> Records:
    for place, row in _month_records(run, "/monthlySubaccountsCost", month):
        if isinstance(row, dict):
            is_claimed = row.get("serviceId") in run.claimed
            if is_claimed and row.get("currency") != "USD":
                raise SourceError(
                    f"sap_joule: costs of {row.get('serviceId')} in {month} are not in USD: take "
                    "it out of claimed_services, and price its units"
                )
            row["our_informational"] = not is_claimed
        yield place, row


def _phases(run: _Run) -> Records:
    """A row for each update of a phase of a contract."""
    path = "/cloudCreditsDetails"
    answer = run.reports().answer(path, params={"viewPhases": "ALL"})
    if not isinstance(answer, dict) or not isinstance(answer.get("contracts"), list):
        raise SourceError(f"sap_joule: {path} answered 200 without contracts")
    number = 0
    for contract in answer["contracts"]:
        for phase in _objects(contract, "phases"):
            for update in _objects(phase, "phaseUpdates"):
                number += 1
                told = {**contract, **phase, **update}
                told["globalAccountId"] = answer.get("globalAccountId")
                flat = {name: told.get(name) for name in CLOUD_CREDITS.known_fields}
                yield f"{path} row {number}", flat


def _objects(value: Any, name: str) -> list[Mapping[str, Any]]:
    listed = value.get(name) if isinstance(value, dict) else None
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise SourceError(f"sap_joule: /cloudCreditsDetails answered a contract without {name}")
    return listed


def _days(run: _Run, month: str, subaccount: str) -> Records:
    """Use of a subaccount by the day, from the first of the month to its last or today."""
    first = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
    last = min((first + timedelta(days=31)).replace(day=1) - timedelta(days=1), run.now)
    params = {
        "subaccountId": subaccount,
        "fromDate": f"{first:%Y%m%d}",
        "toDate": f"{last:%Y%m%d}",
        "periodPerspective": "DAY",
    }
    rows = run.reports().content("/subaccountUsage", params=params)
    for number, row in enumerate(rows, start=1):
        if isinstance(row, dict):
            row |= _metered(run, row)
        yield f"/subaccountUsage {month} {subaccount} row {number}", row


CONTRACTS = (MONTHLY_USAGE, MONTHLY_COST, CLOUD_CREDITS, DAILY_USAGE)
