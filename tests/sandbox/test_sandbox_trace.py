"""The replayed traces: every row once, on the day before, without money."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.spend_rows import spend_rows
from sandbox.trace import CHAT_FILE, CODE_FILE, replay_trace

AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)
REAL = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    header = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    (tmp_path / CHAT_FILE).write_text(
        header
        + "2023-11-15 23:59:59.9996800,374,44\n"
        + "2023-11-16 18:15:46.6805900,374,44\n"
        + "2023-11-16 18:15:46.6805900,374,44\n",
        encoding="utf-8",
    )
    (tmp_path / CODE_FILE).write_text(
        header + "2023-11-16 18:17:03.9799600,4808,10\n", encoding="utf-8"
    )
    return tmp_path


def test_every_row_is_one_call_with_its_own_id_even_when_repeated(folder: Path) -> None:
    world = replay_trace(folder, as_of=AS_OF)

    assert world.litellm.num_rows == 3
    assert len(set(world.litellm.column("call_id").to_pylist())) == 3
    assert world.bedrock.num_rows == 1


def test_rows_move_by_whole_days_to_end_on_the_day_before(folder: Path) -> None:
    world = replay_trace(folder, as_of=AS_OF)

    starts = [
        datetime.fromtimestamp(ms // 1000, UTC)
        for ms in world.litellm.column("start_ms").to_pylist()
    ]
    assert starts == [
        datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 11, 22, 18, 15, 46, tzinfo=UTC),
        datetime(2026, 11, 22, 18, 15, 46, tzinfo=UTC),
    ]


def test_rows_are_tagged_and_claim_no_cost(folder: Path) -> None:
    world = replay_trace(folder, as_of=AS_OF)

    row = spend_rows(world.litellm, canary="")[0]
    assert "trace=azure_conv" in row["request_tags"]
    assert (row["spend"], row["cache_hit"], row["metadata"]["cost_breakdown"]) == (0, "None", None)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (374, 44)
    assert world.bedrock.column("trace").to_pylist() == ["azure_code"]


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=CHAT_FILE):
        replay_trace(tmp_path, as_of=AS_OF)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the trace files are not at {REAL}")
def test_the_real_traces_replay_to_the_last_token() -> None:
    counts = replay_trace(REAL, as_of=AS_OF).counts()

    chat, code = counts["litellm"], counts["bedrock"]
    assert (chat["events"], chat["prompt_tokens"], chat["completion_tokens"]) == (
        19_366,
        22_361_870,
        4_088_665,
    )
    assert (code["events"], code["input_tokens"], code["output_tokens"]) == (
        8_819,
        18_059_974,
        245_896,
    )
    # 18,059,974 x 0.06 and 245,896 x 0.24 per million.
    assert code["list_usd"] == "1.142613480000000"
