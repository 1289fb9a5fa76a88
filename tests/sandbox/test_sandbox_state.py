"""The state file: documents, events, and who may read it."""

import stat
from pathlib import Path

from sandbox.state import State


def test_documents_and_events_are_there_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.sqlite"
    state = State(path)
    state.put("key", id="a", body={"blocked": True})
    state.put("key", id="a", body={"blocked": False})
    state.record("delivery", name="finops", body={"n": 1})
    state.record("delivery", name="other", body={"n": 2})
    state.close()

    again = State(path)

    assert again.all("key") == {"a": {"blocked": False}}
    assert again.get("key", id="b") is None
    assert again.recorded("delivery", name="finops") == [{"n": 1}]
    assert again.recorded("delivery") == [{"n": 1}, {"n": 2}]
    again.close()


def test_adding_keeps_what_is_there(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite")

    assert state.add("row", documents={"1": "old"}) == ["1"]
    assert state.add("row", documents={"1": "new", "2": "new"}) == ["2"]
    assert state.all("row") == {"1": "old", "2": "new"}
    state.close()


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite")
    state.close()

    assert stat.S_IMODE((tmp_path / "state.sqlite").stat().st_mode) == 0o600
