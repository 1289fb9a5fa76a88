"""Checks of the published marts: one in a hundred tokens without a price, one in two hundred
dollars of a bill without a reason."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from contract_marts import publish

from orchestration.checks import marts_checks

DAY = date(2026, 11, 22)
Check = Callable[..., dg.AssetCheckResult]


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """What a check says of marts with these figures."""

    def run(name: str, *, unpriced: int = 0, unexplained: str = "0") -> dg.AssetCheckResult:
        monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path))
        coverage: dict[str, Any] = {"usage_on": DAY, "source_instance": "s", "total_tokens": 1000}
        bill = {"provider": "openai", "usage_on": DAY, "billed_cost_usd": Decimal(200)}
        part = {"provider": "openai", "usage_on": DAY, "reason": "unexplained"}
        publish(
            tmp_path / "marts.duckdb",
            {
                "trust.fct_coverage_daily": [
                    coverage | {"unpriced_tokens": unpriced, "estimated_cost_usd": Decimal(3)}
                ],
                "trust.fct_cost_reconciliation": [bill],
                "trust.fct_cost_reconciliation_by_model": [
                    part | {"difference_usd": Decimal(unexplained)},
                    part | {"reason": "seats", "difference_usd": Decimal(-500)},
                ],
            },
        )
        checks = {each.op.name: each for each in marts_checks(dg.AssetKey(["published", "marts"]))}
        found = next(check for op, check in checks.items() if op.endswith(name))
        return found()

    return run


@pytest.mark.parametrize(("unpriced", "passes"), [(0, True), (10, True), (11, False)])
def test_more_than_a_hundredth_of_tokens_without_a_price_is_red(
    checked: Check, unpriced: int, passes: bool
) -> None:
    said = checked("tokens_have_a_price", unpriced=unpriced)
    assert (said.passed, said.severity) == (passes, dg.AssetCheckSeverity.ERROR)
    assert said.metadata["estimated_usd"].value == "3.00"


@pytest.mark.parametrize(("unexplained", "passes"), [("-1", True), ("-1.01", False)])
def test_a_bill_that_differs_for_no_known_reason_warns(
    checked: Check, unexplained: str, passes: bool
) -> None:
    said = checked("bills_are_explained", unexplained=unexplained)
    assert (said.passed, said.severity) == (passes, dg.AssetCheckSeverity.WARN)
