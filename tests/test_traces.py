"""Real traces through the whole road: every row once, every dollar to the last digit."""

import csv
import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from platform_home import AS_OF, BUDGETS, ROOT, Platform, demo_config

TRACES = ROOT.parent / "shared" / "data"
FILES = {
    "azure_conv": "AzureLLMInferenceTrace_conv.csv",
    "azure_code": "AzureLLMInferenceTrace_code.csv",
}
# As published by the vendors, USD per million tokens: input, output.
RATES = {"azure_conv": ("0.15", "0.60"), "azure_code": ("0.06", "0.24")}
CATALOGUE = {"azure_conv": "gpt-4o-mini", "azure_code": "amazon.nova-lite-v1:0"}
TOTALS = """
    select json_extract_string(tags, '$.trace') as trace, count(*), sum(total_input_tokens),
        sum(total_output_tokens), sum(effective_cost_usd)
    from core.fct_usage group by trace order by trace
"""

pytestmark = pytest.mark.skipif(
    not all((TRACES / name).is_file() for name in FILES.values()),
    reason="the Azure LLM inference traces are not in ../shared/data",
)


def cost_of(trace: str) -> Decimal:
    """What the rows of a trace file cost, with nothing of the platform."""
    per_input, per_output = (Decimal(rate) * Decimal("0.000001") for rate in RATES[trace])
    with (TRACES / FILES[trace]).open(encoding="utf-8", newline="") as file:
        return sum(
            (
                int(row["ContextTokens"]) * per_input + int(row["GeneratedTokens"]) * per_output
                for row in csv.DictReader(file)
            ),
            Decimal(0),
        )


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform that read both traces."""
    folder: Path = tmp_path_factory.mktemp("traces")
    platform = Platform(folder / "home", demo_config(folder / "config", budgets=BUDGETS))
    with platform.vendors(trace=TRACES):
        platform.run(at=AS_OF)
    return platform


def test_every_row_of_the_traces_is_one_act_and_costs_what_it_costs(replayed: Platform) -> None:
    assert replayed.read(TOTALS) == [
        ("azure_code", 8_819, 18_059_974, 245_896, cost_of("azure_code")),
        ("azure_conv", 19_366, 22_361_870, 4_088_665, cost_of("azure_conv")),
    ]


def test_the_bundled_prices_are_the_published_ones() -> None:
    seed = ROOT / "price_catalog" / "seed" / "model_prices.json.gz"
    prices = json.loads(gzip.decompress(seed.read_bytes()), parse_float=Decimal)

    for trace, name in CATALOGUE.items():
        stated = (prices[name]["input_cost_per_token"], prices[name]["output_cost_per_token"])
        assert stated == tuple(Decimal(rate) * Decimal("0.000001") for rate in RATES[trace])
