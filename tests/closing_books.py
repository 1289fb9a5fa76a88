"""Months that are closed and corrected, over priced acts made by hand."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
from facts_warehouse import Act, Facts
from ops_stores import opened_store

from ingestion.declared_tables import declare_tables
from orchestration.cli.close import write_statement
from orchestration.ops import evaluator
from orchestration.ops.closing import close_period
from orchestration.ops.decisions import land_decisions
from orchestration.ops.store import writing

MODELS = (
    "staging.decisions",
    "int_usage__replaced",
    "fct_usage",
    "int_usage__compared",
    "int_usage__restated",
    "fct_restatements",
    "int_closing__days",
    "int_closing__current_lines",
    "int_closing__books",
    "int_closing__differences",
    "fct_statement_monthly",
    "fct_corrections",
    "fct_spend_monthly",
)


class Books:
    """A warehouse, its published marts and its ops store, one pass after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = Facts(folder / "home")
        declare_tables(self.facts.home)
        self.marts = self.facts.home / "marts_build.duckdb"
        with duckdb.connect(str(self.marts)) as marts:
            marts.execute("create schema core; create schema spend")
            marts.execute(
                "create table core.published_snapshot (snapshot_id bigint, as_of timestamp)"
            )
            marts.execute(
                "create table spend.fct_charges (charge_kind varchar, source_instance varchar,"
                " provider varchar, charged_on date, billed_cost_usd decimal(38, 15),"
                " effective_cost_usd decimal(38, 15))"
            )
            marts.execute(
                "insert into spend.fct_charges values"
                " ('billed_unmetered', 'bill', 'openai', '2026-10-31', 0.5, 0.5),"
                " ('prepaid_purchase', null, 'wallet', '2026-10-09', 12000, 0),"
                " ('platform_fee', null, 'abroad', '2026-10-09', null, null)"
            )
            marts.execute(
                "create table spend.fct_spend_daily (usage_on date, provider varchar,"
                " effective_cost_usd decimal(38, 15), estimated_cost_usd decimal(38, 15))"
            )

    def run(
        self,
        acts: Sequence[Act],
        *,
        as_of: datetime,
        touched: Sequence[date],
        models: Sequence[str] = (),
    ) -> None:
        """A pass over these acts: the books, and these models besides."""
        number = self.facts.put(acts, as_of=as_of.replace(tzinfo=None), touched=touched)
        with opened_store(self.folder) as engine:
            land_decisions(engine, self.facts.home)
            with writing(engine) as connection:
                evaluator.record_snapshot(
                    connection, snapshot_id=number, as_of=as_of, checks_ok=True, held=None
                )
        with duckdb.connect(str(self.marts)) as marts:
            marts.execute("delete from core.published_snapshot")
            marts.execute(
                "insert into core.published_snapshot values (?, ?)",
                [number, as_of.replace(tzinfo=None)],
            )
        self.facts.build(*MODELS, *models)

    def close(self, period: str, *, now: datetime) -> Decimal:
        """Closes a month; what it cost as frozen."""
        with opened_store(self.folder) as engine, self.read_only() as marts:
            return close_period(engine, marts, period, by="ada", now=now).effective_cost_usd

    def statement(self, period: str) -> bytes:
        """The month's statement as a file."""
        file = self.folder / "statement.csv"
        with self.read_only() as marts:
            write_statement(marts, period, to=file)
        return file.read_bytes()

    def read_only(self) -> duckdb.DuckDBPyConnection:
        """The published marts."""
        return duckdb.connect(str(self.marts), read_only=True)
