"""Revenue out of CSV files: what is loaded, what is set aside and why, what is taken back."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import FIXTURES, refusal, rows_of, tied

from ingestion.pipeline import pipeline_for, run_source
from ingestion.revenue import revenue_source

NOW = datetime(2026, 11, 3, 8, tzinfo=UTC)
HEADER = "id,customer,feature,period_start_on,period_end_on,amount,currency_code\n"
LINES = "raw_revenue.lines"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "revenue"
    path.mkdir()
    return path


def read(folder: Path, *, n: int = 0) -> Path:
    """A reading of the folder, n minutes later, into the home beside it."""
    home = folder.with_name("home")
    source = revenue_source(
        folder=str(folder), instance="crm", now=NOW + timedelta(minutes=n), deep_reread=False
    )
    run_source(pipeline_for("revenue", instance="crm", home=home), source)
    return home


def test_a_line_that_is_wrong_is_set_aside_with_its_reason(folder: Path) -> None:
    shutil.copyfile(FIXTURES / "revenue" / "malformed.csv", folder / "malformed.csv")
    home = read(folder)
    assert tied(home, table=LINES) == (11, 1, 10)
    found = rows_of(
        home,
        f"select split_part(source_locator, ' ', 3)::int as line, column_name, reason"
        f" from {LINES}__rejected order by 1",
    )
    assert found == [
        (2, "period_end_at", "period_is_empty"),
        (3, "period_end_at", "not_a_day"),
        (4, "period_start_at", "not_a_day"),
        (5, "amount", "not_an_amount"),
        (6, "amount", "missing"),
        (7, "customer", "missing"),
        (8, "currency_code", "not_a_currency_code"),
        (9, "period_end_at", "period_is_too_long"),
        (10, None, "not_as_many_fields"),
        (12, "line_id", "twice_in_its_file"),
    ]


def test_files_that_did_not_change_add_nothing(folder: Path) -> None:
    for name in ("2026-10.csv", "empty.csv"):
        shutil.copyfile(FIXTURES / "revenue" / name, folder / name)
    read(folder)
    home = read(folder, n=1)
    assert tied(home, table=LINES) == (5, 5, 0)


def test_a_file_that_is_gone_is_read_as_one_without_lines(folder: Path) -> None:
    path = folder / "october.csv"
    path.write_text(f"{HEADER}a,x,,2026-10-01,2026-11-01,1.50,USD\n", encoding="utf-8")
    read(folder)
    path.unlink()
    home = read(folder, n=1)
    newest = f"select rows_loaded_count from {LINES}__reads where window_key = 'october.csv'"
    assert rows_of(home, f"{newest} order by extracted_at") == [(1,), (0,)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,customer\n1,x\n", "has no column period_start_on, period_end_on"),
        (HEADER.encode() + b"\xff\xfe,x\n", "is not CSV in UTF-8"),
        (HEADER.encode() + b'"unclosed,x\n', "is not CSV in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_fails_with_words(
    folder: Path, content: bytes, said: str
) -> None:
    (folder / "bad.csv").write_bytes(content)
    with pytest.raises(PipelineStepFailed) as failed:
        read(folder)
    assert f"revenue: bad.csv {said}" in refusal(failed)


def test_a_folder_that_is_not_there_fails_with_words(tmp_path: Path) -> None:
    with pytest.raises(PipelineStepFailed) as failed:
        read(tmp_path / "nowhere")
    assert "there is no folder nowhere" in refusal(failed)
