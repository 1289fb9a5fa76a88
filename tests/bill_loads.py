"""Loads of providers' bills, and providers that answer from a ledger of days or from recordings."""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from raw_loads import FIXTURES
from scripted_server import Answer, Asked, ScriptedServer, scripted_server

from ingestion.anthropic_bill import anthropic_bill_source
from ingestion.aws_cur import aws_cur_source
from ingestion.openai_bill import openai_bill_source
from ingestion.pipeline import pipeline_for, run_source
from sandbox.company import CUR_BUCKET, REGION
from sandbox.s3 import ACCESS_KEY_ID, SECRET_ACCESS_KEY, BucketServer

ADMIN_KEY = "sk-admin-secret-of-a-test"
# The recordings are of 2026-10-01 to 03: a morning later, all of them are over.
NOW = datetime(2026, 10, 4, 8, tzinfo=UTC)
RECORDED_USAGE = ("usage_report_messages_page1.json", "usage_report_messages_page2.json")
EXPORT = "exports/acme-cur2"
Line = dict[str, Any]


def load_openai_bill(
    home: Path,
    url: str,
    *,
    now: datetime = NOW,
    deep_reread: bool = False,
    days: int = 3,
    endpoints: Sequence[str] = ("completions",),
) -> None:
    """One run of the OpenAI bill that goes back a few days."""
    source = openai_bill_source(
        endpoints=endpoints,
        base_url=url,
        admin_key=ADMIN_KEY,
        instance="openai-bill",
        now=now,
        deep_reread=deep_reread,
        history=timedelta(days=days),
    )
    run_source(pipeline_for("openai_bill", instance="openai-bill", home=home), source)


def load_anthropic_bill(home: Path, url: str, *, now: datetime = NOW, days: int = 3) -> None:
    """One run of the Anthropic bill that goes back a few days."""
    source = anthropic_bill_source(
        base_url=url,
        admin_key=ADMIN_KEY,
        instance="anthropic-bill",
        now=now,
        history=timedelta(days=days),
    )
    run_source(pipeline_for("anthropic_bill", instance="anthropic-bill", home=home), source)


def load_aws_cur(
    home: Path,
    url: str,
    *,
    now: datetime,
    deep_reread: bool = False,
    days: int = 60,
    codes: Sequence[str] = (),
) -> None:
    """One run of the AWS bill over the bucket of an S3 server."""
    source = aws_cur_source(
        bucket=CUR_BUCKET,
        prefix="exports",
        export_name="acme-cur2",
        region=REGION,
        marketplace_codes=codes,
        endpoint_url=url,
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SECRET_ACCESS_KEY,
        instance="aws-cur",
        now=now,
        deep_reread=deep_reread,
        history=timedelta(days=days),
    )
    run_source(pipeline_for("aws_cur", instance="aws-cur", home=home), source)


@dataclass
class Ledger:
    """What OpenAI answers of each path and day, in pages of so many days."""

    days: dict[str, dict[date, list[Any]]] = field(default_factory=dict)
    page_days: int = 31

    def answer(self, asked: Asked) -> Answer:
        """A page of buckets, one for each day that was asked for."""
        first, end = (_day(int(asked.query[name])) for name in ("start_time", "end_time"))
        wanted = [first + timedelta(days=n) for n in range((end - first).days)]
        skipped = int(asked.query.get("page", "page_0").removeprefix("page_"))
        shown = wanted[skipped : skipped + self.page_days]
        more = skipped + self.page_days < len(wanted)
        found = self.days.get(asked.path, {})
        buckets = [openai_bucket(day, found.get(day, [])) for day in shown]
        next_page = f"page_{skipped + len(shown)}" if more else None
        return Answer(openai_page(buckets, next_page=next_page))


def openai_page(buckets: list[Any], *, next_page: str | None = None) -> dict[str, Any]:
    """A page as OpenAI answers it."""
    return {
        "object": "page",
        "data": buckets,
        "has_more": next_page is not None,
        "next_page": next_page,
    }


def openai_bucket(day: date, results: list[Any]) -> dict[str, Any]:
    """A bucket of one UTC day."""
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": results}


def cost(line_item: str, value: Any, **fields: Any) -> dict[str, Any]:
    """A result of OpenAI's costs."""
    amount = {"value": value, "currency": "usd"}
    return {"amount": amount, "line_item": line_item, "project_id": "p", **fields}


def completions(key: str, *, given: int, output: int) -> dict[str, Any]:
    """A result of OpenAI's completions usage."""
    return {
        "input_tokens": given,
        "output_tokens": output,
        "num_model_requests": 1,
        "project_id": "p",
        "api_key_id": key,
        "model": "m",
    }


def recorded(folder: str, pages: dict[str, list[str]], *, empty: str) -> Any:
    """An answerer that gives the recorded pages of a path in turn, by their cursors."""

    def answer(asked: Asked) -> Answer:
        names = pages.get(asked.path, [empty])
        bodies = [(FIXTURES / folder / name).read_text(encoding="utf-8") for name in names]
        cursors: list[str | None] = [None]
        cursors += [json.loads(body)["next_page"] for body in bodies[:-1]]
        return Answer(bodies[cursors.index(asked.query.get("page"))])

    return answer


@contextmanager
def recorded_openai(*, costs: str = "costs.json") -> Iterator[ScriptedServer]:
    """The recorded OpenAI organisation."""
    pages = {
        "/usage/completions": ["usage_completions_page1.json", "usage_completions_page2.json"],
        "/usage/embeddings": ["usage_embeddings.json"],
        "/usage/images": ["usage_images.json"],
        "/costs": [costs],
    }
    with scripted_server(recorded("openai_bill", pages, empty="empty.json")) as running:
        yield running


@contextmanager
def recorded_anthropic(*, usage: Sequence[str] = RECORDED_USAGE) -> Iterator[ScriptedServer]:
    """The recorded Anthropic organisation."""
    base = "/v1/organizations"
    pages = {
        f"{base}/usage_report/messages": list(usage),
        f"{base}/cost_report": ["cost_report.json"],
    }
    with scripted_server(recorded("anthropic_bill", pages, empty="empty.json")) as running:
        yield running


def cur_lines(name: str) -> list[Line]:
    """Recorded lines of an AWS bill."""
    text = (FIXTURES / "aws_cur" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def deliver(
    bucket: BucketServer,
    month: str,
    *files: tuple[str, bytes],
    at: datetime,
    run: str = "",
    named: Sequence[str] | None = None,
) -> None:
    """A refresh of a billing period: its data files, then the manifest that names them."""
    part = f"BILLING_PERIOD={month}/{run}"
    keys = []
    for name, body in files:
        keys.append(f"{EXPORT}/data/{part}{name}")
        bucket.put(keys[-1], body=body, last_modified=at, bucket=CUR_BUCKET)
    names = [f"s3://{CUR_BUCKET}/{key}" for key in keys] if named is None else list(named)
    bucket.put(
        f"{EXPORT}/metadata/{part}acme-cur2-Manifest.json",
        body=json.dumps({"dataFiles": names, "executionId": run}).encode(),
        last_modified=at,
        bucket=CUR_BUCKET,
    )


def csv_gz(lines: Sequence[Line]) -> bytes:
    """Lines as a gzipped CSV file; maps are texts of JSON, what is missing is empty."""
    text = io.StringIO(newline="")
    names = list(dict.fromkeys(name for line in lines for name in line))
    writer = csv.DictWriter(text, fieldnames=names)
    writer.writeheader()
    for line in lines:
        writer.writerow({k: json.dumps(v) if isinstance(v, dict) else v for k, v in line.items()})
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
