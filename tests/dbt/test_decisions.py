"""What people decided reaches the models that honour it, once, and without being decided again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from ops_stores import opened_store
from sqlalchemy import insert, update
from staged_warehouse import build, events_of

from ingestion.declared_tables import declare_tables
from ingestion.pipeline import warehouse_path
from orchestration.ops import people
from orchestration.ops.decisions import land_decisions
from orchestration.ops.store import writing
from orchestration.ops.tables import period_close, repricing

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
LINE = (
    '{"line_kind": "usage", "corrected_period": null, "entity_key": "team-search",'
    ' "customer_key": "internal", "feature_key": null, "source_instance": "proxy",'
    ' "provider": "openai", "model_id": "openai/gpt-4o", "list_cost_usd": "0.012592000000000",'
    ' "effective_cost_usd": "0.012592000000000", "estimated_cost_usd": "0", "charged_usd": null,'
    ' "requests_count": 1, "total_tokens": 2160}'
)


def snapshots(home: Path) -> int:
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        return len(connection.execute("select 1 from raw_decisions.snapshots").fetchall())


def test_decisions_are_appended_when_they_change_and_read_as_they_stand(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    declare_tables(home)
    with opened_store(tmp_path) as engine:
        assert not land_decisions(engine, home), "nothing was decided"
        for approval_id, kind in (("price-1", "price"), ("plan-1", "plan")):
            people.approve(
                engine,
                approval_id,
                kind=kind,
                plan_sha="",
                by="ada",
                now=AT,
                expires_at=AT + timedelta(days=1),
            )
        with writing(engine) as connection:
            connection.execute(
                insert(repricing).values(
                    id="r1", from_at=AT, to_at=AT, as_known_at=AT, by="ada", created_at=AT
                )
            )
            connection.execute(
                insert(period_close).values(
                    period="2026-10",
                    snapshot_id=7,
                    closed_at=AT,
                    by="ada",
                    totals_json=f'{{"lines": [{LINE}]}}',
                    totals_sha256="of the totals",
                )
            )
        assert land_decisions(engine, home)
        assert not land_decisions(engine, home), "the same decisions are not appended twice"
        with writing(engine) as connection:
            connection.execute(update(repricing).values(undone_at=AT, undone_by="bob"))
        assert land_decisions(engine, home)
        assert snapshots(home) == 2
    build(home, select=["staging.decisions"])

    naive = AT.replace(tzinfo=None)
    assert events_of(home, "staging.stg_decisions__price_approvals") == [
        {"approval_id": "price-1", "approved_by": "ada", "approved_at": naive}
    ]
    (undone,) = events_of(home, "staging.stg_decisions__repricings")
    assert (undone["repricing_id"], undone["is_undone"]) == ("r1", True)
    (close,) = events_of(home, "staging.stg_decisions__period_closes")
    assert (close["period"], close["snapshot_id"], close["closed_by"]) == ("2026-10", 7, "ada")
    (line,) = events_of(home, "staging.stg_decisions__closed_totals")
    assert (str(line["effective_cost_usd"]), line["charged_usd"]) == ("0.012592000000000", None)
