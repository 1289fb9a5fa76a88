"""The check of the published marts: one in a hundred tokens of the last 30 days without a price."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
from contract_marts import publish

from orchestration.checks import marts_checks

AS_OF = datetime(2026, 11, 22, 12)  # noqa: DTZ001 (the marts hold naive UTC)
LAST, FIRST, BEFORE = date(2026, 11, 22), date(2026, 10, 24), date(2026, 10, 23)


@pytest.mark.parametrize(
    ("unpriced", "unpriced_on", "passes"),
    [(0, LAST, True), (10, LAST, True), (11, LAST, False), (11, FIRST, False), (11, BEFORE, True)],
)
def test_more_than_a_hundredth_of_recent_tokens_without_a_price_is_red(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unpriced: int,
    unpriced_on: date,
    passes: bool,
) -> None:
    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path))
    priced = {"unpriced_tokens": 0, "estimated_cost_usd": Decimal(0), "total_tokens": 500}
    lacking = {"unpriced_tokens": unpriced, "estimated_cost_usd": Decimal(3), "total_tokens": 500}
    publish(
        tmp_path / "marts.duckdb",
        {
            "core.published_snapshot": [{"snapshot_id": 1, "as_of": AS_OF}],
            "trust.fct_coverage_daily": [
                {"usage_on": LAST, "source_instance": "s"} | priced,
                {"usage_on": unpriced_on, "source_instance": "s"} | lacking,
            ],
        },
    )
    [check] = marts_checks(dg.AssetKey(["published", "marts"]))
    said = check()
    assert isinstance(said, dg.AssetCheckResult)
    assert (said.passed, said.severity) == (passes, dg.AssetCheckSeverity.ERROR)
    assert said.metadata["estimated_usd"].value == ("0.00" if unpriced_on == BEFORE else "3.00")
