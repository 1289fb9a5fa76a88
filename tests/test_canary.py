"""What people asked models and what opens doors is nowhere: no file of ours, no word printed."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from platform_home import CANARY, LATER, MASTER_KEY, Platform

WRONG_KEY = "sk-wrong-canary-93b1"
SECRETS = (CANARY, MASTER_KEY, WRONG_KEY, "sk-sandbox-", "sandbox-secret-access-key")
# The vendors' own memory: what they were told and the secret they sign with.
VENDORS = Path("sandbox")


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what they hold once unpacked."""
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif path.suffix == ".parquet":
        yield repr(pq.read_table(path).to_pylist()).encode()
    elif path.suffix == ".duckdb":
        # Texts in there are compressed: they are looked at as a reader sees them.
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute(
                "select table_schema, table_name from information_schema.tables"
                " where table_type = 'BASE TABLE'"
            ).fetchall()
            for schema, table in tables:
                rows = connection.execute(f'select * from "{schema}"."{table}"').fetchall()
                yield repr(rows).encode()


def spilled(folder: Path, secrets: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each file that holds a secret or a canary, and which one."""
    return [
        (path.relative_to(folder).as_posix(), secret)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != VENDORS.name
        for content in contents(path)
        for secret in secrets
        if secret.encode() in content
    ]


def test_a_good_pass_keeps_no_content_and_no_secret(platform: Platform, history: Path) -> None:
    with platform.vendors() as vendors:
        secrets = (*SECRETS, vendors.environment()["WEBHOOK_FINOPS_SECRET"])
        window = {"start_date": "2026-11-23 00:00:00", "end_date": "2026-11-23 17:59:59"}
        served = platform.ask("GET", "/spend/logs/v2", params=window).text
        told = platform.inbox()
    printed = (history / "printed.txt").read_text(encoding="utf-8")

    # What is looked for was there to be kept: in the rows that were read, in what was signed.
    assert CANARY in served
    assert len(told) == 1
    assert spilled(history / "home", secrets) == []
    assert [secret for secret in secrets if secret in printed] == []


def test_a_pass_that_is_refused_tells_no_secret_either(platform: Platform) -> None:
    refusal = {"error": {"message": f"no such key: {WRONG_KEY}; you asked: {CANARY}"}}
    with platform.vendors() as vendors:
        secrets = (*SECRETS, vendors.environment()["WEBHOOK_FINOPS_SECRET"])
        platform.steer(
            "faults",
            path="/spend/logs/v2",
            responses=[{"status": 401, "body": refusal}] * 3,
        )
        failing = platform.start("run", at=LATER, LITELLM_MAIN_API_KEY=WRONG_KEY)
        code, printed = platform.finish(failing)

    assert code == 1
    assert "answered 401" in printed
    assert [secret for secret in secrets if secret in printed] == []
    assert spilled(platform.home, secrets) == []


def test_nothing_is_written_outside_the_home(history: Path) -> None:
    assert [path.name for path in (history / "home_outside").rglob("*")] == []
