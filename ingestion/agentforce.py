"""Salesforce Agentforce: one row is one billable usage event with the credits it consumed.

Billed by: Salesforce, in flex credits or conversations; the monthly statement wins. Credits alone
carry money; the rows with tokens (generative AI usage) are informational. Credits of an act are
taken as computed (`unitsconsumed`, with the multiplier), never worked out.
Auth: an external client app with client credentials, scopes `api cdp_query_api`, whose run-as user
may read the data space; the objects must be in that data space.
Pages: SQL, one query a day of each object, the result kept and paged by offset. Queries are
metered: no joins, at most hourly.
Lag: minutes to a day. Events are immutable and arrive late: overlap of 3 days, 35 days weekly. Of a
day only the hours that changed are appended again. Daily consumption is a control total that grows
while Salesforce processes; refunds are in no usage chart, only among the transactions.
Docs: help.salesforce.com (Digital Wallet), developer.salesforce.com/docs/data (Query API)
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal

import dlt
from dlt.extract import DltResource
from pydantic import StringConstraints

from ingestion.agentforce_objects import FoundObject, Role, find
from ingestion.agentforce_query import QueryApi, QueryClient, sign_in
from ingestion.agentforce_records import (
    DAILY,
    DAILY_ROLE,
    ENRICHED,
    ENRICHED_ROLE,
    GENERATIVE,
    GENERATIVE_ROLE,
    TRANSACTION_ROLE,
    TRANSACTIONS,
)
from ingestion.batches import Batch, sha256_of
from ingestion.config_types import EnvName
from ingestion.contracts import Contract
from ingestion.resources import rows_rejected_reads
from ingestion.restated import SNAPSHOT, WindowRead, window_batches
from ingestion.source_config import SourceConfig

OVERLAP = timedelta(days=3)
DEEP_REREAD = timedelta(days=35)
HISTORY = timedelta(days=400)
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
# Hours beyond every re-read need no digest.
_KEPT = DEEP_REREAD + _WEEK

Leavable = Literal["generative_ai_usage", "daily_consumption", "entitlement_transactions"]


class AgentforceSource(SourceConfig):
    """One Salesforce org with its Data Cloud; `without` names objects the data space lacks."""

    system: Literal["agentforce"]
    data_space: Annotated[str, StringConstraints(pattern=r"^\w{1,80}$")] = "default"
    query_api: QueryApi = "connect"
    without: tuple[Leavable, ...] = ()
    my_domain_url_env: EnvName
    client_id_env: EnvName
    client_secret_env: EnvName


@dataclass(frozen=True)
class _Run:
    """What every resource of one run shares; it signs in when the first row is wanted."""

    signed_in: Callable[[], tuple[QueryClient, list[Any]]]
    without: Sequence[str]
    instance: str
    now: datetime
    overlap: timedelta
    history: timedelta


@dlt.source(name="agentforce", max_table_nesting=0)
def agentforce_source(
    *,
    data_space: str,
    query_api: QueryApi,
    without: Sequence[str],
    my_domain_url: str,
    client_id: str,
    client_secret: str,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Usage events, token rows, daily totals and entitlement transactions of one org."""

    @cache
    def signed_in() -> tuple[QueryClient, list[Any]]:
        client = sign_in(
            my_domain_url=my_domain_url,
            client_id=client_id,
            client_secret=client_secret,
            data_space=data_space,
            api=query_api,
        )
        return client, client.entities()

    run = _Run(
        signed_in=signed_in,
        without=without,
        instance=instance,
        now=now.astimezone(UTC),
        overlap=DEEP_REREAD if deep_reread else OVERLAP,
        history=history,
    )
    return (
        *rows_rejected_reads(
            "enriched_usage",
            lambda: _events(run, ENRICHED_ROLE, ENRICHED, time="eventtime"),
            description="Billable acts and the units they consumed; key (org, id); "
            "cursor event time, 3 days, weekly 35.",
        ),
        *rows_rejected_reads(
            "generative_ai_usage",
            lambda: _events(run, GENERATIVE_ROLE, GENERATIVE, time="timestamp"),
            description="Model calls with their tokens, informational; key (org, id); "
            "cursor timestamp, 3 days, weekly 35.",
        ),
        *rows_rejected_reads(
            "daily_consumption",
            lambda: _daily(run),
            description="Control totals of a day, card, usage type and environment; restated.",
        ),
        *rows_rejected_reads(
            "entitlement_transactions",
            lambda: _transactions(run),
            description="Purchases, credits and refunds; key id, else all its fields.",
        ),
    )


def _events(run: _Run, role: Role, contract: Contract, *, time: str) -> Iterator[Batch]:
    """Events from the cursor less the overlap, day by day, appended by hours that changed."""

    def windows() -> Iterator[WindowRead]:
        if role.resource in run.without:
            return
        client, entities = run.signed_in()
        found = find(entities, role)
        for start, end in _days(first_at, run.now):
            sql = _select(found, f"{_between(found, time, start, end)} {_ordered(found, time)}")
            rows = _located(client, sql, found, f"{start:%Y-%m-%d}")
            yield from _grouped(rows, lambda row, day=start: _hour(row.get(time), day))

    first_at = _first_at(run, role.resource)
    yield from _windowed(run, windows(), contract)
    _forget_old_hours(run, role.resource)
    _move_cursor(run, role.resource)


def _daily(run: _Run) -> Iterator[Batch]:
    """Daily totals; a day that was seen and has none any more is read as empty."""
    resource = DAILY_ROLE.resource

    def windows() -> Iterator[WindowRead]:
        if resource in run.without:
            return
        client, entities = run.signed_in()
        found = find(entities, DAILY_ROLE)
        since = f"{first_at:%Y-%m-%d}"
        sql = _select(found, f"""where "{found.columns["utilizationdate"]}" >= '{since}'""")
        rows = _located(client, sql, found, since)
        seen = dlt.current.source_state().get("digests", {}).get(resource, {})
        known = [day for day in seen if day >= since]
        yield from _grouped(rows, lambda row: _text_day(row.get("utilizationdate")), known=known)

    first_at = _first_at(run, resource)
    yield from _windowed(run, windows(), DAILY)
    _move_cursor(run, resource)


def _transactions(run: _Run) -> Iterator[Batch]:
    """All transactions; one without an id is told by its fields, and by its place among equals."""

    def records() -> Iterator[tuple[str, Any]]:
        client, entities = run.signed_in()
        found = find(entities, TRANSACTION_ROLE)
        equals: Counter[str] = Counter()
        for place, row in _located(client, _select(found, ""), found, SNAPSHOT):
            if isinstance(row, dict):
                digest = sha256_of(sorted(row.items()))
                equals[digest] += 1
                row["own_id"] = f"{digest[:32]}-{equals[digest]}"
            yield place, row

    is_left_out = TRANSACTION_ROLE.resource in run.without
    windows = [] if is_left_out else [WindowRead(SNAPSHOT, records)]
    yield from _windowed(run, windows, TRANSACTIONS)


def _windowed(run: _Run, windows: Iterable[WindowRead], contract: Contract) -> Iterator[Batch]:
    return window_batches(
        windows, contract=contract, source_instance=run.instance, extracted_at=run.now
    )


def _first_at(run: _Run, resource: str) -> datetime:
    """Midnight of the first day to read: the cursor less the overlap, or the whole history."""
    cursor = dlt.current.source_state().get("cursors", {}).get(resource)
    first_at = run.now - run.history
    if cursor:
        first_at = max(datetime.fromisoformat(cursor) - run.overlap, first_at)
    return first_at.replace(hour=0, minute=0, second=0, microsecond=0)


def _move_cursor(run: _Run, resource: str) -> None:
    cursors = dlt.current.source_state().setdefault("cursors", {})
    if resource not in run.without:
        cursors[resource] = max(run.now.isoformat(), cursors.get(resource, ""))


def _forget_old_hours(run: _Run, resource: str) -> None:
    digests = dlt.current.source_state()["digests"]
    oldest = f"{run.now - _KEPT:%Y-%m-%d}"
    digests[resource] = {key: value for key, value in digests[resource].items() if key >= oldest}


def _days(first_at: datetime, last_at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Half-open ranges up to `last_at`: days, and weeks of what no re-read will ask for again."""
    start = first_at
    while start < last_at:
        end = start + (_WEEK if last_at - start > _KEPT else _DAY)
        yield start, min(end, last_at)
        start = end


def _select(found: FoundObject, rest: str) -> str:
    columns = ", ".join(f'"{name}"' for name in found.columns.values())
    return f'select {columns} from "{found.name}" {rest}'.strip()


def _between(found: FoundObject, time: str, start: datetime, end: datetime) -> str:
    """A range as texts, which compare with a timestamp as with a text in ISO 8601."""
    column = found.columns[time]
    return f"""where "{column}" >= '{_iso(start)}' and "{column}" < '{_iso(end)}'"""


def _ordered(found: FoundObject, time: str) -> str:
    return f'order by "{found.columns[time]}", "{found.columns["id"]}"'


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _located(
    client: QueryClient, sql: str, found: FoundObject, window: str
) -> Iterator[tuple[str, Any]]:
    for number, row in enumerate(client.rows(sql, columns=tuple(found.columns)), start=1):
        yield f"{found.name} {window} row {number}", row


def _grouped(
    rows: Iterable[tuple[str, Any]],
    key_of: Callable[[Mapping[str, Any]], str],
    *,
    known: Iterable[str] = (),
) -> Iterator[WindowRead]:
    """The rows of one query as a window for each key, and an empty one for a known key."""
    groups: dict[str, list[tuple[str, Any]]] = {key: [] for key in known}
    for place, row in rows:
        key = key_of(row if isinstance(row, dict) else {})
        groups.setdefault(key, []).append((place, row))
    for key, group in sorted(groups.items()):
        yield WindowRead(key, lambda group=group: group)


def _hour(time: Any, day: datetime) -> str:
    """The hour a row is of; one that names none stands with its day."""
    known = isinstance(time, str) and len(time) >= 13
    return time[:13].replace(" ", "T") if known else f"{day:%Y-%m-%d}T--"


def _text_day(time: Any) -> str:
    return time[:10] if isinstance(time, str) and len(time) >= 10 else "no day"


CONTRACTS = (ENRICHED, GENERATIVE, DAILY, TRANSACTIONS)
