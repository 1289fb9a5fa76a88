"""Anthropic's bill is read day by day, its cents as texts, its cache writes by lifetime."""

from decimal import Decimal
from pathlib import Path

import pytest
from bill_loads import ADMIN_KEY, load_anthropic_bill, recorded_anthropic
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import cursor_of, loaded, refusal, rows_of, tied
from scripted_server import Answer

COSTS, USAGE = "raw_anthropic_bill.costs", "raw_anthropic_bill.usage"


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


def test_the_recorded_organisation_is_read_once_however_often_it_is_asked(home: Path) -> None:
    with recorded_anthropic() as provider:
        for _ in range(3):
            load_anthropic_bill(home, provider.url)
        asked = provider.asked[0]
    assert tied(home, table=COSTS) == (9, 9, 0)
    assert tied(home, table=USAGE) == (2, 2, 0)
    assert asked.headers["x-api-key"] == ADMIN_KEY
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert asked.query["starting_at"] == "2026-10-01T00:00:00Z"
    assert asked.query["ending_at"] == "2026-10-04T00:00:00Z"
    # 358.35 cents of tokens, 3 of searches, 5.55 of code execution.
    assert sum(loaded(home, "amount_cents", table=COSTS)) == Decimal("366.90")
    written = "cache_write_5m_input_tokens, cache_write_1h_input_tokens, workspace_id"
    assert loaded(home, written, table=USAGE) == [
        (0, 0, None),
        (50_000, 20_000, "wrkspc_synthetic1"),
    ]


def test_writes_under_another_name_are_set_aside_and_never_free(home: Path) -> None:
    with recorded_anthropic(usage=["usage_malformed.json"]) as provider:
        load_anthropic_bill(home, provider.url)
    assert tied(home, table=USAGE) == (5, 1, 4)
    assert loaded(home, "model", table=USAGE) == ["good"]
    rejected = rows_of(home, f"select column_name, reason from {USAGE}__rejected order by all")
    assert rejected == [
        ("cache_write_5m_input_tokens", "missing"),
        ("uncached_input_tokens", "negative"),
        ("uncached_input_tokens", "not_an_integer"),
        ("uncached_input_tokens", "out_of_range"),
    ]
    # The flat name is not declared.
    [[unknown]] = rows_of(home, f"select sum(unknown_fields_count) from {USAGE}__reads")
    assert unknown == 1


def test_a_key_that_is_no_admins_fails_the_run_and_moves_nothing(home: Path) -> None:
    with recorded_anthropic() as provider:
        load_anthropic_bill(home, provider.url)
        before = cursor_of(home, "anthropic_bill", "anthropic-bill")
        error = {"type": "authentication_error", "message": "invalid x-api-key"}
        provider.canned = [Answer({"type": "error", "error": error}, status=401)]
        asked = len(provider.asked)
        with pytest.raises(PipelineStepFailed) as failed:
            load_anthropic_bill(home, provider.url)
        assert len(provider.asked) - asked == 1
    assert "answered 401: it takes an admin key (sk-ant-admin…)" in refusal(failed)
    assert ADMIN_KEY not in str(failed.value)
    assert cursor_of(home, "anthropic_bill", "anthropic-bill") == before
