"""The example of docs/budgets.md is one that the configuration accepts."""

import re
from pathlib import Path

import yaml

from ingestion.config_budgets import Budget

PAGE = Path(__file__).resolve().parent.parent / "docs" / "budgets.md"


def test_the_budget_of_the_page_is_accepted_as_written() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    [said] = yaml.safe_load(block)["budgets"]
    budget = Budget.model_validate(said)
    assert set(said) == budget.model_fields_set
    assert budget.counted_in == "usd"
