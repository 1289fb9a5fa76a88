"""AWS's bill as the objects a CUR 2.0 data export writes: a manifest a month, data files beside it.

The current month is Parquet, the months before are gzipped CSV: an export is one or the other, a
reader must take both. Lines are of whole days that are over. A machine stands on the bill as well:
most of an AWS bill is none of Bedrock's.
"""

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from starlette.routing import Route

from sandbox.bills import Used, days_of, totals, used_on_bedrock
from sandbox.company import ACCOUNT_ID, CUR_BUCKET, CUR_EXPORT, CUR_PREFIX, REGION
from sandbox.vendor import Grounds, Stored

JsonObject = dict[str, Any]
_ROOT = f"{CUR_PREFIX}/{CUR_EXPORT}"
_GUARDRAIL_USD, _MACHINE_USD = Decimal("0.15"), Decimal("9.6")
_TAX_USD = Decimal("1.9")
_USAGE_TYPES = {
    "input": "input-tokens",
    "cache_read": "cache-read-input-token-count",
    "cache_write_5m": "cache-write-input-token-count",
    "cache_write_1h": "cache-write-input-token-count",
    "output": "output-tokens",
}
_BILLED_AS = {
    "claude-sonnet-4-5": "Claude4.5Sonnet",
    "claude-haiku-4-5": "Claude4.5Haiku",
    "nova-pro": "NovaPro",
    "nova-lite": "NovaLite",
    "titan-embed": "TitanEmbeddingV2-Text",
}


class AwsCur:
    """The bill of one AWS payer; it is read from its bucket, not over HTTP."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds

    def routes(self) -> list[Route]:
        """None."""
        return []

    def environment(self, url: str) -> dict[str, str]:
        """Nothing: the bucket's server names its address and keys."""
        return {}

    def counts(self) -> dict[str, int | str]:
        """What Bedrock cost on the finished days: logged, not logged, and other things."""
        days = days_of(self._grounds)
        used = [each for each in used_on_bedrock(self._grounds) if each.day in set(days)]
        other = [
            Decimal(line["line_item_unblended_cost"])
            for day in days
            for line in _other_lines(day)
            if line["line_item_product_code"] == "AmazonBedrock"
        ]
        return {"days": len(days), **totals(used, other=other)}

    def objects(self) -> Iterator[Stored]:
        """What the export wrote into its bucket."""
        return _exported(self._grounds)


def _exported(grounds: Grounds) -> Iterator[Stored]:
    """Data files and manifest of every month of the world, as last delivered."""
    lines = _lines(grounds)
    delivered = grounds.as_of.astimezone(UTC).replace(hour=0, minute=30, second=0, microsecond=0)
    delivered = min(delivered, grounds.as_of)
    months = sorted({line["line_item_usage_start_date"][:7] for line in lines})
    for month in months:
        rows = [line for line in lines if line["line_item_usage_start_date"][:7] == month]
        is_current = month == months[-1]
        ending = "snappy.parquet" if is_current else "csv.gz"
        folder = f"BILLING_PERIOD={month}"
        key = f"{_ROOT}/data/{folder}/{CUR_EXPORT}-00001.{ending}"
        body = parquet_file(rows) if is_current else csv_file(rows)
        yield Stored(key, body, delivered, CUR_BUCKET)
        manifest = {
            "exportName": CUR_EXPORT,
            "executionId": blake2b(body, digest_size=16).hexdigest(),
            "contentType": "Parquet" if is_current else "text/csv",
            "dataFiles": [f"s3://{CUR_BUCKET}/{key}"],
        }
        yield Stored(
            f"{_ROOT}/metadata/{folder}/{CUR_EXPORT}-Manifest.json",
            orjson.dumps(manifest),
            delivered,
            CUR_BUCKET,
        )


def parquet_file(lines: list[JsonObject]) -> bytes:
    """The lines as a Parquet file, with the types of a real export."""
    times = ("line_item_usage_start_date", "line_item_usage_end_date")
    numbers = ("line_item_usage_amount", "line_item_unblended_cost")
    maps = ("resource_tags", "product")
    columns = {}
    for name in lines[0]:
        values = [line[name] for line in lines]
        if name in times:
            moments = [datetime.fromisoformat(value).replace(tzinfo=None) for value in values]
            columns[name] = pa.array(moments, pa.timestamp("ms"))
        elif name in numbers:
            columns[name] = pa.array([float(value) for value in values], pa.float64())
        elif name in maps:
            pairs = [list(value.items()) for value in values]
            columns[name] = pa.array(pairs, pa.map_(pa.string(), pa.string()))
        else:
            columns[name] = pa.array(values, pa.string())
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body)
    return body.getvalue()


def csv_file(lines: list[JsonObject]) -> bytes:
    """The lines as a gzipped CSV file; maps are texts of JSON."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(lines[0]))
    writer.writeheader()
    for line in lines:
        flat = {
            name: orjson.dumps(value).decode() if isinstance(value, dict) else value
            for name, value in line.items()
        }
        writer.writerow(flat)
    return gzip.compress(text.getvalue().encode(), 3, mtime=0)


def line_item(day: date, **facts: Any) -> JsonObject:
    """One line of the bill: of that day, and as told otherwise."""
    line: JsonObject = {
        "identity_line_item_id": "",
        "bill_payer_account_id": ACCOUNT_ID,
        "line_item_usage_account_id": ACCOUNT_ID,
        "line_item_line_item_type": "Usage",
        "line_item_usage_start_date": f"{day.isoformat()}T00:00:00.000Z",
        "line_item_usage_end_date": f"{(day + timedelta(days=1)).isoformat()}T00:00:00.000Z",
        "line_item_product_code": "AmazonBedrock",
        "line_item_usage_type": "",
        "line_item_operation": "InvokeModelInference",
        "line_item_resource_id": "",
        "line_item_usage_amount": "0",
        "pricing_unit": "1K tokens",
        "line_item_unblended_cost": "0",
        "line_item_currency_code": "USD",
        "line_item_iam_principal": "",
        "resource_tags": {},
        "product": {"region": REGION},
        **facts,
    }
    name = f"{day}{line['line_item_usage_type']}{line['line_item_resource_id']}"
    line["identity_line_item_id"] = blake2b(name.encode(), digest_size=20).hexdigest()
    return line


def _lines(grounds: Grounds) -> list[JsonObject]:
    days = days_of(grounds)
    finished = set(days)
    lines = [
        _token_line(each, kind)
        for each in used_on_bedrock(grounds)
        if each.day in finished
        for kind in _USAGE_TYPES
        if each.tokens[kind]
    ]
    lines += [line for day in days for line in _other_lines(day)]
    return sorted(lines, key=lambda line: line["line_item_usage_start_date"])


def _token_line(used: Used, kind: str) -> JsonObject:
    """Tokens of a kind by thousands; what was not logged came through another role."""
    name = used.model.price_name
    billed_as = next(text for part, text in _BILLED_AS.items() if part in name)
    routed = {"us.": "-cross-region-geo", "global.": "-cross-region-global"}
    ending = next((text for part, text in routed.items() if name.startswith(part)), "")
    role = "direct" if used.is_direct else "gateway"
    return line_item(
        used.day,
        line_item_usage_type=f"USE1-{billed_as}-{_USAGE_TYPES[kind]}{ending}",
        # Lifetimes of cache writes and models of one price share a usage type, not a resource.
        line_item_resource_id=f"{used.model.name}#{kind}#{role}",
        line_item_usage_amount=f"{Decimal(used.tokens[kind]) * Decimal('0.001'):f}",
        line_item_unblended_cost=f"{used.usd(kind):f}",
        line_item_iam_principal=f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role}",
        resource_tags={"user_path": role},
    )


def _other_lines(day: date) -> list[JsonObject]:
    """Guardrails, tax on the first of a month, and a machine that is none of Bedrock's."""
    plain = {"pricing_unit": "", "line_item_operation": ""}
    lines = [
        line_item(
            day,
            line_item_usage_type="USE1-Guardrail-ContentPolicyUnitsConsumed",
            line_item_usage_amount="1000",
            line_item_unblended_cost=f"{_GUARDRAIL_USD:f}",
            **plain,
        ),
        line_item(
            day,
            line_item_product_code="AmazonEC2",
            line_item_usage_type="USE1-BoxUsage:m7i.2xlarge",
            line_item_usage_amount="24",
            line_item_unblended_cost=f"{_MACHINE_USD:f}",
            **plain,
        ),
    ]
    if day.day == 1:
        lines.append(
            line_item(
                day,
                line_item_line_item_type="Tax",
                line_item_unblended_cost=f"{_TAX_USD:f}",
                **plain,
            )
        )
    return lines
