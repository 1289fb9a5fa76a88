"""What is asked of the marts as readers see them: is it all priced, does the bill agree.

A red check here stops nothing: what has no price is in every budget as an estimate (DESIGN D7), and
marts that come late are worse than marts that say what they lack.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from orchestration import settings
from orchestration.automation import BILL_UNEXPLAINED_LIMIT, UNPRICED_LIMIT
from orchestration.warehouse import published_marts

_UNPRICED = """
    select source_instance, sum(unpriced_tokens), sum(total_tokens), sum(estimated_cost_usd)
    from trust.fct_coverage_daily
    group by source_instance
    order by sum(unpriced_tokens) desc, source_instance
"""
_BILLS = """
    select days.provider, sum(days.billed_cost_usd), sum(coalesce(parts.unexplained_usd, 0))
    from trust.fct_cost_reconciliation as days
    left join (
        select provider, usage_on, sum(abs(difference_usd)) as unexplained_usd
        from trust.fct_cost_reconciliation_by_model
        where reason = 'unexplained'
        group by provider, usage_on
    ) as parts
        on days.provider = parts.provider and days.usage_on = parts.usage_on
    where days.billed_cost_usd is not null
    group by days.provider
    order by days.provider
"""


def marts_checks(published: dg.AssetKey) -> list[dg.AssetChecksDefinition]:
    """The checks of the published marts."""

    @dg.asset_check(
        asset=published,
        description=f"At most {UNPRICED_LIMIT:.0%} of the tokens have no price.",
    )
    def tokens_have_a_price() -> dg.AssetCheckResult:
        rows = _read(_UNPRICED)
        unpriced, tokens = (sum((row[n] or 0 for row in rows), 0) for n in (1, 2))
        estimate = sum((row[3] for row in rows), Decimal(0))
        return dg.AssetCheckResult(
            passed=unpriced <= tokens * UNPRICED_LIMIT,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "unpriced_tokens": int(unpriced),
                "tokens": int(tokens),
                "estimated_usd": f"{estimate:.2f}",
                "by_source": _lines(
                    f"{row[0]}: {row[1]:,} of {row[2]:,}" for row in rows if row[1]
                ),
            },
        )

    @dg.asset_check(
        asset=published,
        description=f"At most {BILL_UNEXPLAINED_LIMIT:.1%} of a bill differs for no known reason.",
    )
    def bills_are_explained() -> dg.AssetCheckResult:
        rows = _read(_BILLS)
        wrong = [row for row in rows if row[2] > abs(row[1]) * BILL_UNEXPLAINED_LIMIT]
        return dg.AssetCheckResult(
            passed=not wrong,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "unexplained": _lines(f"{row[0]}: ${row[2]:.2f} of ${row[1]:.2f}" for row in wrong)
            },
        )

    return [tokens_have_a_price, bills_are_explained]


def _read(query: str) -> Sequence[tuple[Any, ...]]:
    with published_marts(settings.marts_path()) as connection:
        return connection.execute(query).fetchall()


def _lines(found: Any) -> dg.MetadataValue:
    return dg.MetadataValue.text("\n".join(found) or "none")
