"""Exported months are read as the API's are: once, again when they changed, and never halfway."""

import csv
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import FIXTURES, loaded, refusal, tied

from ingestion.pipeline import pipeline_for, run_source
from ingestion.sap_joule import SapJouleSource
from ingestion.systems import build_source

NOW = datetime(2026, 11, 10, 8, tzinfo=UTC)
PULLS = FIXTURES / "sap_joule"
TABLE = "raw_sap_joule.monthly_usage"
FIRST = "monthlyUsage_202610_pull_2026-10-10.json"
LATER = "monthlyUsage_202610_pull_2026-10-11.json"
SOURCE = SapJouleSource(
    id="sap-files", system="sap_joule", evidence_layer="saas", folder_env="SAP_EXPORTS"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one exported month."""
    exports = tmp_path / "exports"
    exports.mkdir()
    shutil.copy(PULLS / FIRST, exports / "2026-10.json")
    (exports / "readme.txt").write_text("no export", encoding="utf-8")
    return exports


def load(home: Path, folder: Path) -> None:
    built = build_source(SOURCE, credentials={"folder": str(folder)}, now=NOW, deep_reread=False)
    run_source(pipeline_for("sap_joule", instance=SOURCE.id, home=home), built)


def rows_in(name: str) -> int:
    return len(json.loads((PULLS / name).read_text(encoding="utf-8"))["content"])


def test_an_export_is_read_once_and_a_newer_one_of_the_month_whole(
    folder: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    for _ in range(3):
        load(home, folder)
    assert tied(home, table=TABLE) == (rows_in(FIRST), rows_in(FIRST), 0)
    shutil.copy(PULLS / LATER, folder / "2026-10.json")
    load(home, folder)
    both = rows_in(FIRST) + rows_in(LATER)
    assert tied(home, table=TABLE) == (both, both, 0)
    assert set(loaded(home, "window_key", table=TABLE)) == {"2026-10"}


def test_a_csv_export_gives_the_rows_of_the_json_one(folder: Path, tmp_path: Path) -> None:
    load(tmp_path / "json", folder)
    rows = json.loads((PULLS / FIRST).read_text(encoding="utf-8"))["content"]
    (folder / "2026-10.json").unlink()
    with (folder / "2026-10.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    load(tmp_path / "csv", folder)
    columns = "service_id, measure_id, unit, usage::varchar, subaccount_id"
    known = loaded(tmp_path / "json", columns, table=TABLE)
    assert len(known) == rows_in(FIRST)
    assert loaded(tmp_path / "csv", columns, table=TABLE) == known


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("2026-11.json", "<html>", "2026-11.json is not JSON"),
        ("2026-11.json", '{"value": 1}', "2026-11.json holds no list of rows"),
        ("2026-11.csv", "Service,Usage\nJoule,1\n", "has no column globalAccountId, serviceId"),
        ("2026-10.csv", "usage\n1\n", "2026-10 is exported twice"),
        ("2026-11.json", '[{"reportYearMonth": 202610}]', "holds another month than 2026-11"),
    ],
)
def test_an_export_that_is_none_is_refused_and_nothing_is_loaded(
    folder: Path, tmp_path: Path, name: str, text: str, said: str
) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(PipelineStepFailed) as failed:
        load(tmp_path / "home", folder)
    assert said in refusal(failed)


def test_an_instance_is_read_one_way() -> None:
    with pytest.raises(ValueError, match="either service_key_env, or folder_env"):
        SapJouleSource(id="x", system="sap_joule", evidence_layer="saas")
