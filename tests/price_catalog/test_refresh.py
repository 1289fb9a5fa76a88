"""A price file lands once a content; what is no price file leaves the last good one standing."""

import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from price_catalog.catalogues import BASE, GAP_FILLERS, Catalogue
from price_catalog.parse import PriceFileError, parse
from price_catalog.past import read_past, waiting
from price_catalog.refresh import SEED_PATH, fetch, price_catalog_source, read_seed

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def price_file(path: Path, *, models: int, rate: float) -> str:
    entry = {"litellm_provider": "p", "input_cost_per_token": rate, "output_cost_per_dream": 1}
    path.write_text(json.dumps({f"m{n}": entry for n in range(models)}), encoding="utf-8")
    return path.as_uri()


def refresh(
    home: Path,
    url: str | None,
    *,
    used: tuple[str, ...] = (),
    approved: tuple[str, ...] = (),
    catalogue: Catalogue = BASE,
) -> None:
    past = read_past(home, catalogue=catalogue.name, used=used, approved=approved)
    source = price_catalog_source(
        url=url, observed_at=NOW, past=past, kept_in=home / "kept", catalogue=catalogue
    )
    run_source(pipeline_for("price_catalog", instance=None, home=home), source)


def counts(home: Path) -> tuple[int, int, int]:
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        row = connection.execute(
            """select
                (select count(*) from raw_price_catalog.snapshots),
                (select count(*) from raw_price_catalog.prices),
                (select count(*) from raw_price_catalog._dlt_loads)"""
        ).fetchone()
    assert row is not None
    return row


def test_the_seed_is_what_its_description_says() -> None:
    described = yaml.safe_load((SEED_PATH.parent / "seed.yml").read_text(encoding="utf-8"))
    content = read_seed()
    assert described["sha256"] == hashlib.sha256(content).hexdigest()
    assert described["models_count"] == len(parse(content).models)
    assert SEED_PATH.stat().st_size < 1_000_000


def test_every_meter_that_is_parsed_is_in_the_closed_list() -> None:
    listed = yaml.safe_load((SEED_PATH.parents[1] / "units.yml").read_text(encoding="utf-8"))
    prices = parse(read_seed()).prices
    assert {row.meter for row in prices} <= set(listed["meters"])
    assert {row.service_tier for row in prices} == set(listed["service_tiers"])


def test_the_same_content_lands_once_and_a_changed_one_again(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    refresh(tmp_path, price_file(file, models=20, rate=1e-06))
    assert counts(tmp_path) == (1, 20, 1)
    refresh(tmp_path, file.as_uri())
    assert counts(tmp_path) == (1, 20, 1)
    refresh(tmp_path, price_file(file, models=20, rate=2e-06))
    assert counts(tmp_path) == (2, 40, 2)


def test_rates_land_as_decimals_with_their_snapshot_and_what_was_not_understood(
    tmp_path: Path,
) -> None:
    refresh(tmp_path, price_file(tmp_path / "prices.json", models=1, rate=2.5e-06))
    with duckdb.connect(str(warehouse_path(tmp_path)), read_only=True) as connection:
        rates = connection.execute(
            """select provider, model, meter, cast(rate_usd_per_unit as varchar),
                typeof(rate_usd_per_unit) from raw_price_catalog.prices"""
        ).fetchall()
        unparsed = connection.execute(
            "select price_key, models_count from raw_price_catalog.unparsed_keys"
        ).fetchall()
        [[names]] = connection.execute(
            """select count(*) from raw_price_catalog.provider_names
            where provider_raw in ('p', 'bedrock_converse')"""
        ).fetchall()
    assert rates == [("p", "m0", "input", "0.000002500000000", "DECIMAL(18,15)")]
    assert unparsed == [("output_cost_per_dream", 1)]
    assert names == 2


def looks(home: Path) -> list[tuple[str, str | None]]:
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        return connection.execute(
            "select status, reason from raw_price_catalog.snapshots order by _dlt_load_id"
        ).fetchall()


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"error": "rate limited"}', b""])
def test_what_is_no_price_file_changes_no_price_and_leaves_its_reason(
    tmp_path: Path, body: bytes
) -> None:
    file = tmp_path / "prices.json"
    good = price_file(file, models=20, rate=1e-06)
    refresh(tmp_path, good)
    file.write_bytes(body)
    refresh(tmp_path, good)
    refresh(tmp_path, good)
    assert counts(tmp_path) == (2, 20, 2)
    [_, (status, reason)] = looks(tmp_path)
    assert status == "refused"
    assert reason is not None and reason.startswith("not a price file")
    price_file(file, models=20, rate=1e-06)
    refresh(tmp_path, good)
    assert [status for status, _ in looks(tmp_path)] == ["accepted", "refused", "confirmed"]
    refresh(tmp_path, price_file(file, models=20, rate=2e-06))
    assert counts(tmp_path)[:2] == (4, 40)


def test_a_file_that_lost_more_than_a_twentieth_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    refresh(tmp_path, price_file(file, models=20, rate=1e-06))
    refresh(tmp_path, price_file(file, models=18, rate=1e-06))
    assert looks(tmp_path)[1] == ("refused", "fell from 20 models to 18")
    refresh(tmp_path, price_file(file, models=19, rate=1e-06))
    assert counts(tmp_path)[:2] == (3, 39)


def test_a_file_without_a_used_model_is_refused_until_a_person_accepts_it(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    refresh(tmp_path, price_file(file, models=20, rate=1e-06))
    refresh(tmp_path, price_file(file, models=19, rate=1e-06), used=("p/m19",))
    assert looks(tmp_path)[1] == ("refused", "lacks 1 used model(s): p/m19")
    item = f"file-{hashlib.sha256(b'lacks 1 used model(s): p/m19').hexdigest()[:12]}"
    # By the time a person says yes the source has another file, which lacks the same.
    refresh(tmp_path, price_file(file, models=19, rate=1.1e-06), used=("p/m19",), approved=(item,))
    assert counts(tmp_path)[:2] == (3, 39)


def test_a_file_that_is_taken_is_kept_as_it_came(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    refresh(tmp_path, price_file(file, models=2, rate=1e-06))
    file_sha = hashlib.sha256(file.read_bytes()).hexdigest()
    [kept] = (tmp_path / "kept").iterdir()
    assert kept.name == f"{file_sha}.json.gz"
    assert gzip.decompress(kept.read_bytes()) == file.read_bytes()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "prices.json").write_bytes(b'{"from": "http"}')

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_url_is_fetched_and_its_secrets_are_not_shown(server: str) -> None:
    shown, content = fetch(f"http://user:sk-secret@{server}/prices.json?token=sk-secret")
    assert content == b'{"from": "http"}'
    assert shown == f"http://{server}/prices.json"


def test_only_http_https_and_files_are_read() -> None:
    with pytest.raises(PriceFileError):
        fetch("ftp://127.0.0.1/prices.json")


def test_the_observation_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        price_catalog_source(url=None, observed_at=datetime(2026, 11, 23))  # noqa: DTZ001


def test_a_gap_filler_lands_beside_the_base_and_is_judged_by_its_own_past(tmp_path: Path) -> None:
    [openrouter] = GAP_FILLERS
    base, gaps = tmp_path / "base.json", tmp_path / "models.json"
    entry = {"litellm_provider": "openrouter", "input_cost_per_token": 1e-06}
    base.write_text(json.dumps({"openrouter/a/b": entry}), encoding="utf-8")
    for prompt in ("0.000002", "0.000002", "0.00002"):
        refresh(tmp_path, base.as_uri())
        pricing = {"prompt": prompt, "completion": "0.00002"}
        gaps.write_text(json.dumps({"data": [{"id": "a/b", "pricing": pricing}]}), encoding="utf-8")
        refresh(tmp_path, gaps.as_uri(), catalogue=openrouter)
    with duckdb.connect(str(warehouse_path(tmp_path)), read_only=True) as connection:
        held = connection.execute(
            "select old_rate_usd_per_unit, new_rate_usd_per_unit from raw_price_catalog.verdicts"
        ).fetchall()
    assert counts(tmp_path) == (3, 5, 3), "one load a content: the base, and two of the list"
    assert held == [(Decimal("0.000002"), Decimal("0.00002"))], "not the base's 0.000001"
    used = {"openrouter/a/b"}
    both = ["litellm", "openrouter"]
    [slip] = waiting(tmp_path, used=used, approved=(), configured=both)
    assert not slip.is_used, "the base prices the model"
    assert waiting(tmp_path, used=used, approved=()) == [], "a list that is no longer configured"
    base.write_text(json.dumps({"openrouter/c": entry}), encoding="utf-8")
    refresh(tmp_path, base.as_uri())
    [slip] = waiting(tmp_path, used=used, approved=(), configured=both)
    assert slip.is_used
    with pytest.raises(ValueError, match="METERHOUSE_OPENROUTER_MODELS_URL is not set"):
        price_catalog_source(url=None, observed_at=NOW, catalogue=openrouter)
