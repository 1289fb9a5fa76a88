"""Where v2 is not served, observations are read by page and joined with their traces."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from langfuse_project import (
    METRICS,
    PROJECTS,
    TABLE,
    TRACES,
    V1,
    V2,
    Project,
    langfuse_project,
    load_langfuse,
    observation,
)
from raw_loads import FIXTURES, loaded, refusal, tied
from scripted_server import Answer, Asked

WHO = (
    "id, project_id, provided_model_name, total_cost, user_id, session_id, metadata_customer, tags"
)


@pytest.fixture
def project() -> Iterator[Project]:
    """A project of a deployment that does not write the v4 events table."""
    with langfuse_project() as running:
        running.serves_v2 = False
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


def fixture_rows(name: str) -> list[Any]:
    return list(json.loads((FIXTURES / "langfuse" / name).read_text(encoding="utf-8"))["data"])


def v1_row(id: str, **fields: Any) -> dict[str, Any]:
    told = observation(id, traceId=None, **fields)
    return {**told, "model": told["providedModelName"], "calculatedTotalCost": told["totalCost"]}


def refused(home: Path, project: Project, **options: Any) -> str:
    with pytest.raises(PipelineStepFailed) as failed:
        load_langfuse(home, project.url, **options)
    return refusal(failed)


def test_a_404_of_v2_falls_back_to_v1_and_its_traces(project: Project, home: Path) -> None:
    project.rows = fixture_rows("v1_observations_page1.json")
    project.traces = fixture_rows("v1_traces_page1.json")
    load_langfuse(home, project.url, resource=None)
    [row] = loaded(home, WHO, table=TABLE)
    assert [str(value) for value in row] == [
        "6e81a2b3c4d5e6f7", "prj_demo_01", "gpt-4.1-mini", "0.000112000000000", "user-3", "sess-1",
        "cust_beta", '{"team":"core"}',
    ]  # fmt: skip
    assert loaded(home, "input_tokens, output_tokens, reported_total", table=TABLE) == [
        (120, 40, 160)
    ]
    assert len(project.asked(V2)) == len(project.asked(METRICS)) == 1
    # The same act after the upgrade has the same key: the project is asked for once.
    assert len(project.asked(PROJECTS)) == 1


def test_v1_is_asked_at_once_where_config_says_so_and_never_where_it_says_v2(
    project: Project, home: Path
) -> None:
    assert refused(home, project, api_version="v2").endswith("/v2/observations answered 404")
    assert not project.asked(V1)
    project.rows = [v1_row("a")]
    load_langfuse(home, project.url, api_version="v1")
    assert loaded(home, "id", table=TABLE) == ["a"]
    assert len(project.asked(V2)) == 1


def test_a_trace_that_began_earlier_is_asked_for_and_a_deleted_one_is_none(
    project: Project, home: Path
) -> None:
    project.rows = [v1_row("a") | {"traceId": "old"}, v1_row("b") | {"traceId": "gone"}]
    project.traces = [{"id": "old", "timestamp": "2026-11-01T00:00:00.000Z", "userId": "ada"}]
    load_langfuse(home, project.url)
    assert loaded(home, "id, user_id", table=TABLE) == [("a", "ada"), ("b", None)]
    assert len(project.asked(f"{TRACES}/old")) == len(project.asked(f"{TRACES}/gone")) == 1


def test_rows_that_shift_while_paging_are_there_once(
    project: Project, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.langfuse_api.V1_PAGE_ROWS", 2)
    project.rows = [v1_row(f"o-{n}", at=f"2026-11-23T07:00:0{n}.000Z") for n in range(5)]

    def insert(asked: Asked, body: Any) -> Any:
        if asked.path == V1 and body["meta"]["totalItems"] == 5 and asked.query["page"] == "1":
            project.rows.append(v1_row("newer", at="2026-11-23T07:30:00.000Z"))
        return body

    project.rewrite = insert
    load_langfuse(home, project.url)
    assert loaded(home, "id", table=TABLE) == [f"o-{n}" for n in range(5)]
    load_langfuse(home, project.url)
    assert set(loaded(home, "id", table=TABLE)) == {"newer", *(f"o-{n}" for n in range(5))}
    assert len(set(loaded(home, "id, row_hash", table=TABLE))) == 6


def test_a_page_that_is_short_or_repeated_fails_the_run(
    project: Project, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.langfuse_api.V1_PAGE_ROWS", 2)
    project.rows = [v1_row(f"o-{n}", at=f"2026-11-23T07:00:0{n}.000Z") for n in range(5)]
    changes: list[dict[str, Any]] = [
        {"data": [v1_row("o-4")]},
        {"meta": {"page": 1, "totalItems": 5}},
        {"meta": {"page": 2}},
        {"data": [v1_row("o-4"), v1_row("o-3")]},
    ]

    def rewrite(asked: Asked, body: Any) -> Any:
        if asked.path != V1:
            return body
        if asked.query["page"] == "1" and body["data"] and len(changes) == 1:
            return body | changes[0]
        return body | changes[0] if asked.query["page"] == "2" else body

    project.rewrite = rewrite
    said = []
    while changes:
        said.append(refused(home, project))
        changes.pop(0)
    assert said == [
        "langfuse: page 2 of 2026-11-23 holds 1 rows of 5 in all",
        "langfuse: /api/public/observations did not answer page 2",
        "langfuse: /api/public/observations did not answer page 2",
        "langfuse: page 2 of 2026-11-23 repeats the page before it",
    ]


def test_where_neither_is_served_the_message_says_what_to_check(
    project: Project, home: Path
) -> None:
    def rewrite(asked: Asked, body: Any) -> Any:
        return Answer("<html>", status=404) if asked.path == V1 else body

    project.rewrite = rewrite
    assert refused(home, project) == (
        "langfuse: /api/public/observations is not served here: check the base URL, "
        "or set api_version to v2"
    )


def test_units_of_the_oldest_usage_object_are_kept(project: Project, home: Path) -> None:
    usages = {
        "tokens": {"unit": "TOKENS", "input": 7, "output": 2, "total": 9},
        "characters": {"unit": "CHARACTERS", "input": 50, "output": 0, "total": 50},
    }
    project.rows = [
        v1_row(name, usage=usage) | {"usageDetails": None} for name, usage in usages.items()
    ]
    load_langfuse(home, project.url)
    assert loaded(home, "id, input_tokens, unit, quantity", table=TABLE) == [
        ("characters", None, "characters", 50),
        ("tokens", 7, None, None),
    ]
    assert tied(home, table=TABLE) == (2, 2, 0)
