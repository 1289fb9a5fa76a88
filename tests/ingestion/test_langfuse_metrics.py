"""Langfuse's own daily totals are read in few questions, and restated by the day."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from langfuse_project import METRICS, Project, langfuse_project, load_langfuse
from raw_loads import FIXTURES, loaded, refusal, tied


@pytest.fixture
def project() -> Iterator[Project]:
    """A project without totals."""
    with langfuse_project() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


def test_daily_totals_are_read_and_restated_by_the_day(project: Project, home: Path) -> None:
    project.metrics = [
        *json.loads((FIXTURES / "langfuse" / "v2_metrics.json").read_text())["data"],
        {"providedModelName": None, "time_dimension": "2026-11-21T00:00:00.000Z",
         "count_count": "2", "sum_totalCost": None},
    ]  # fmt: skip
    for _ in range(2):
        load_langfuse(home, project.url, resource="daily_metrics")
    table = "raw_langfuse.daily_metrics"
    columns = "window_key, provided_model_name, observations_count, total_cost, input_tokens"
    stated = [
        ("2026-11-20", "gpt-4.1-mini", 3, Decimal("0.0008924"), 1020),
        ("2026-11-21", None, 2, None, None),
    ]
    assert loaded(home, columns, table=table) == stated
    project.metrics.pop()
    load_langfuse(home, project.url, resource="daily_metrics")
    assert loaded(home, columns, table=table) == stated
    assert ("2026-11-21", 0) in loaded(home, "window_key, rows_read_count", table=f"{table}__reads")


def test_a_range_with_more_totals_than_an_answer_holds_is_halved(
    project: Project, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.langfuse_metrics.ROW_LIMIT", 3)
    project.metrics = [
        {"providedModelName": f"m-{model}", "time_dimension": f"2026-11-2{day}T00:00:00.000Z",
         "count_count": "1", "sum_totalCost": 0.5}
        for day in range(4)
        for model in range(2)
    ]  # fmt: skip
    load_langfuse(home, project.url, resource="daily_metrics")
    assert tied(home, table="raw_langfuse.daily_metrics") == (8, 8, 0)
    assert len(project.asked(METRICS)) > 2
    monkeypatch.setattr("ingestion.langfuse_metrics.ROW_LIMIT", 2)
    with pytest.raises(PipelineStepFailed) as failed:
        load_langfuse(home, project.url, resource="daily_metrics")
    assert "2026-11-21 has 2 models or more" in refusal(failed)
