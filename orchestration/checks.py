"""What is asked of the marts as readers see them: is what is used now priced.

A red check here stops nothing: what has no price is in every budget as an estimate (DESIGN D7), and
marts that come late are worse than marts that say what they lack.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from orchestration import settings
from orchestration.automation import UNPRICED_DAYS, UNPRICED_LIMIT
from orchestration.warehouse import published_marts

_UNPRICED = f"""
    select source_instance, sum(unpriced_tokens), sum(total_tokens), sum(estimated_cost_usd)
    from trust.fct_coverage_daily
    where usage_on > (select cast(as_of as date) - {UNPRICED_DAYS} from core.published_snapshot)
    group by source_instance
    order by sum(unpriced_tokens) desc, source_instance
"""


def marts_checks(published: dg.AssetKey) -> list[dg.AssetChecksDefinition]:
    """The checks of the published marts."""

    @dg.asset_check(
        asset=published,
        description=f"At most {UNPRICED_LIMIT:.0%} of the tokens of the last {UNPRICED_DAYS} days"
        " have no price.",
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

    return [tokens_have_a_price]


def _read(query: str) -> Sequence[tuple[Any, ...]]:
    with published_marts(settings.marts_path()) as connection:
        return connection.execute(query).fetchall()


def _lines(found: Any) -> dg.MetadataValue:
    return dg.MetadataValue.text("\n".join(found) or "none")
