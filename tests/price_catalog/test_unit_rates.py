"""Rate cards: what the bundled ones say, what a card may not say, and that they land once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import dlt
import duckdb
import pytest

from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from price_catalog.match import canonical_provider
from price_catalog.unit_rates import RateCardError, read_cards, unit_rates_resource

ENTRY = """provider: acme
rates:
  - {{unit: {unit}, usd_per_unit: {usd}, valid_from: 2026-01-01, {more}
     quoted: q, url: "https://example.org/p", checked_on: 2026-11-25}}
"""


def card(folder: Path, *, unit: str = "credits", usd: str = '"0.5"', more: str = "") -> Path:
    (folder / "acme.yml").write_text(ENTRY.format(unit=unit, usd=usd, more=more), encoding="utf-8")
    return folder


def test_the_bundled_cards_hold_list_prices_by_the_single_unit() -> None:
    cards = {each.provider: each.rates for each in read_cards()}
    salesforce = {rate.unit: rate.usd_per_unit for rate in cards["salesforce"]}
    # 500 USD for 100,000 credits; 20 of them are one action of 0.10.
    assert salesforce["credits"] == Decimal(500) / 100_000
    assert salesforce["credits"] is not None and salesforce["credits"] * 20 == Decimal("0.10")
    assert salesforce["conversations"] == 2
    assert all(canonical_provider(provider) == provider for provider in cards)
    assert all(rate.checked_on >= date(2026, 11, 25) for rates in cards.values() for rate in rates)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"usd": "0.5"}, "write the rate as a text"),
        ({"usd": '"-1"'}, "greater than or equal to 0"),
        ({"unit": "bananas"}, "units.yml knows no unit bananas"),
        ({"more": "valid_to: 2025-12-31,"}, "a rate ends after it starts"),
        ({"more": "colour: red,"}, "colour"),
    ],
)
def test_what_a_card_may_not_say(tmp_path: Path, given: dict[str, str], complaint: str) -> None:
    with pytest.raises(RateCardError, match=f"(?s)acme.yml.*{complaint}"):
        read_cards(card(tmp_path, **given))


def test_two_rates_at_once_are_refused(tmp_path: Path) -> None:
    first, _, entry = ENTRY.format(unit="credits", usd='"1"', more="").partition("rates:\n")
    later = entry.replace("2026-01-01", "2026-06-01")
    (tmp_path / "acme.yml").write_text(f"{first}rates:\n{entry}{later}", encoding="utf-8")
    with pytest.raises(RateCardError, match="credits has two rates at once"):
        read_cards(tmp_path)
    ended = entry.replace("quoted", "valid_to: 2026-06-01, quoted")
    (tmp_path / "acme.yml").write_text(f"{first}rates:\n{ended}{later}", encoding="utf-8")
    assert len(read_cards(tmp_path)[0].rates) == 2


def test_cards_land_once_a_content(tmp_path: Path) -> None:
    @dlt.source(name="price_catalog")
    def source() -> object:
        return unit_rates_resource(observed_at=datetime(2026, 11, 25, tzinfo=UTC))

    for _ in range(2):
        run_source(pipeline_for("price_catalog", instance=None, home=tmp_path), source())
    with duckdb.connect(str(warehouse_path(tmp_path)), read_only=True) as connection:
        landed = connection.execute(
            "select count(*), count(distinct _dlt_load_id) from raw_price_catalog.unit_rates"
        ).fetchone()
    expected = sum(
        len(rate.models) * len(rate.service_tiers) * len(rate.account_regions)
        for each in read_cards()
        for rate in each.rates
    )
    assert landed == (expected, 1)
