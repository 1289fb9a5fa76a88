"""A world replayed from real traces: every row of the two files as exactly one call.

The files hold a time, context tokens and generated tokens. The chat trace becomes LiteLLM calls,
the code trace Bedrock invocations, one model each, shifted by whole days so that the last falls on
the day before `as_of`. The traces say nothing of money, so LiteLLM reports no spend (0, no hit).
"""

from datetime import datetime
from pathlib import Path

import duckdb

from sandbox.world import World, milliseconds

CHAT_FILE = "AzureLLMInferenceTrace_conv.csv"
CODE_FILE = "AzureLLMInferenceTrace_code.csv"
CHAT_TAG = "azure_conv"
CODE_TAG = "azure_code"
CHAT_MODEL = "gpt-4o-mini"
CODE_MODEL = "amazon.nova-lite-v1:0"
_SQL = Path(__file__).with_name("sql") / "trace.sql"


def replay_trace(folder: Path, *, as_of: datetime) -> World:
    """The world in which the traces of that folder happened on the day before `as_of`."""
    if as_of.utcoffset() is None:
        raise ValueError("as_of must be an aware datetime")
    for name in (CHAT_FILE, CODE_FILE):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"no {name} in the trace folder {folder}")
    with duckdb.connect(":memory:") as con:
        con.execute("set timezone = 'UTC'")
        for name, value in {
            "chat_file": str(folder / CHAT_FILE),
            "code_file": str(folder / CODE_FILE),
            "as_of_ms": milliseconds(as_of),
            "chat_model": CHAT_MODEL,
            "code_model": CODE_MODEL,
            "chat_tag": CHAT_TAG,
            "code_tag": CODE_TAG,
        }.items():
            con.execute(f"set variable {name} = $value", {"value": value})
        con.execute(_SQL.read_text(encoding="utf-8"))
        return World(
            as_of=as_of,
            litellm=con.sql("from litellm").to_arrow_table().combine_chunks(),
            bedrock=con.sql("from bedrock").to_arrow_table().combine_chunks(),
        )
