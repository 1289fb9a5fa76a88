"""Bedrock's control plane: application inference profiles, and the output of batch inference jobs.

Batch inference is in no invocation log: its records lie beside its input in S3, priced at the batch
rate, without a model or a time of their own; both are the job's. A profile's id is opaque in the
logs: which model it stands for, and the tags it is paid under, are asked here.
Auth: bedrock:ListInferenceProfiles, bedrock:ListTagsForResource, bedrock:ListModelInvocationJobs,
and s3:GetObject on the output of the jobs. What the role may not ask is left out, and said.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import dlt
import orjson
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from ingestion.checkpoints import checkpoint
from ingestion.contracts import INTEGER, TEXT, UTC_TIME, Column, Contract
from ingestion.http import SourceError, SourceUnavailable
from ingestion.json_text import decode_json, inside, tags_text
from ingestion.s3 import error_code, listed

_LOG = logging.getLogger(__name__)
_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
# A job of these states writes no more output.
_ENDED = ("Completed", "PartiallyCompleted", "Stopped", "Expired")
# A job runs for a week at most: one submitted earlier has ended, and was read.
_RUNS_AT_MOST = timedelta(days=8)
_HISTORY = timedelta(days=400)


def application_profiles(control: Any) -> list[tuple[str, Any]] | None:
    """Each application inference profile with its models and tags; None where we may not ask."""
    found = []
    try:
        arguments = {"typeEquals": "APPLICATION"}
        for profile in _pages(
            control, "list_inference_profiles", "inferenceProfileSummaries", arguments
        ):
            arn = profile["inferenceProfileArn"]
            answer = _asked(control.list_tags_for_resource, resourceARN=arn)
            record = {
                "profile_arn": arn,
                "profile_name": profile.get("inferenceProfileName"),
                "status": profile.get("status"),
                "model_arns": [model.get("modelArn") for model in profile.get("models", [])],
                "tags": {tag["key"]: tag["value"] for tag in answer.get("tags", [])},
            }
            found.append((f"inference profile {arn}", record))
    except _Denied as denied:
        _LOG.warning("bedrock: the role may not %s", denied)
        return None
    return found


def batch_records(
    control: Any, storage: Any, *, now: datetime, deep_reread: bool, account_id: str, region: str
) -> Iterator[tuple[str, Any]]:
    """The records of batch jobs that ended and were not read yet; then remembers the jobs."""
    state = dlt.current.source_state()
    known: Mapping[str, str] = {} if deep_reread else state.get("batch_jobs", {})
    since = now - _HISTORY
    if "batch_read_at" in state:
        since = datetime.fromisoformat(state["batch_read_at"]) - _RUNS_AT_MOST
        since = min(since, now - 4 * _RUNS_AT_MOST)
    try:
        jobs = list(
            _pages(
                control,
                "list_model_invocation_jobs",
                "invocationJobSummaries",
                {"submitTimeAfter": since},
            )
        )
    except _Denied as denied:
        _LOG.warning("bedrock: the role may not %s", denied)
        return
    ended = {job["jobArn"]: job for job in jobs if job.get("status") in _ENDED}
    for arn, job in ended.items():
        if arn in known:
            continue
        target = inside(job, "outputDataConfig", "s3OutputDataConfig", "s3Uri")
        if not isinstance(target, str):
            raise SourceError("bedrock: a batch job does not say where its output lies")
        for locator, record in _output(storage, target, job_id=arn.rpartition("/")[2]):
            if isinstance(record, dict):
                record |= {
                    "jobArn": arn,
                    "modelId": job.get("modelId"),
                    "endTime": _at(job),
                    "accountId": account_id,
                    "region": region,
                }
            yield locator, record
        checkpoint("extract_page")
    oldest = min(since, now - 6 * _RUNS_AT_MOST).isoformat()
    kept = {arn: at for arn, at in state.get("batch_jobs", {}).items() if at >= oldest}
    state["batch_jobs"] = kept | {arn: _at(job) for arn, job in ended.items()}
    state["batch_read_at"] = now.isoformat()


def _at(job: Mapping[str, Any]) -> str:
    moment: datetime = job.get("endTime") or job.get("lastModifiedTime") or job["submitTime"]
    return moment.astimezone(UTC).isoformat()


def _output(storage: Any, target: str, *, job_id: str) -> Iterator[tuple[str, Any]]:
    """Where each record of a job's output stands, and the record."""
    address = urlsplit(target)
    folder = f"{address.path.strip('/')}/{job_id}/".lstrip("/")
    try:
        items = listed(storage, system="bedrock", bucket=address.netloc, prefix=folder)
        keys = [item["Key"] for item in items]
        for key in sorted(key for key in keys if key.endswith(".jsonl.out")):
            answer = storage.get_object(Bucket=address.netloc, Key=key)
            for number, line in enumerate(answer["Body"].iter_lines(), start=1):
                if line.strip():
                    yield f"{key} line {number}", _decoded(line)
    except (BotoCoreError, ClientError) as error:
        raise SourceUnavailable(
            f"bedrock: reading the output of a batch job failed: {error_code(error)}"
        ) from None


def _decoded(line: bytes) -> Any:
    try:
        return decode_json(line)
    except ValueError:
        return line.decode("utf-8", "replace")


def _pages(
    control: Any, operation: str, name: str, arguments: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """What an operation lists, page by page; raises _Denied where the role may not ask."""
    token: str | None = None
    while True:
        more = {"nextToken": token} if token else {}
        answer = _asked(getattr(control, operation), maxResults=100, **arguments, **more)
        if name not in answer:
            raise SourceError(f"bedrock: {operation} was answered by something else")
        yield from answer[name]
        following = answer.get("nextToken")
        if following is None:
            return
        if following == token:
            raise SourceError(f"bedrock: {operation} repeats a page")
        token = following


class _Denied(Exception):
    """The role may not ask for something; the message names the operation."""


def _asked(operation: Any, **arguments: Any) -> Mapping[str, Any]:
    try:
        answer: Mapping[str, Any] = operation(**arguments)
    except ClientError as error:
        if error_code(error) in _DENIED:
            raise _Denied(operation.__name__) from None
        raise SourceError(f"bedrock: {operation.__name__} failed: {error_code(error)}") from None
    except BotoCoreError as error:
        failure = f"bedrock: {operation.__name__} failed: {error_code(error)}"
        raise SourceUnavailable(failure) from None
    return answer


def _first(usage: Any, *names: str) -> Any:
    """The first of several names, since each vendor's usage object has its own."""
    return next((usage[name] for name in names if inside(usage, name) is not None), None)


def _pick_batch(record: Mapping[str, Any]) -> Sequence[Any]:
    usage = inside(record, "modelOutput", "usage")
    written = inside(usage, "cache_creation")
    return (
        record.get("endTime"),
        record.get("accountId"),
        record.get("region"),
        record.get("jobArn"),
        record.get("recordId"),
        record.get("modelId"),
        record.get("error") is not None,
        _first(usage, "input_tokens", "inputTokens", "prompt_tokens"),
        _first(usage, "cache_read_input_tokens", "cacheReadInputTokens"),
        _first(usage, "cache_creation_input_tokens", "cacheWriteInputTokens"),
        inside(written, "ephemeral_1h_input_tokens"),
        _first(usage, "output_tokens", "outputTokens", "completion_tokens"),
        inside(record, "modelOutput", "id"),
    )


BATCH_RECORDS = Contract(
    resource="batch_records",
    columns=(
        Column("ended_at", UTC_TIME, required=True),
        Column("account_id", TEXT, required=True),
        Column("region", TEXT, required=True),
        Column("job_arn", TEXT, required=True),
        Column("record_id", TEXT, required=True),
        Column("model_id", TEXT),
        Column("is_error", pa.bool_(), required=True),
        Column("input_tokens", INTEGER),
        Column("cache_read_tokens", INTEGER),
        Column("cache_write_tokens", INTEGER),
        Column("cache_write_1h_tokens", INTEGER),
        Column("output_tokens", INTEGER),
        Column("response_id", TEXT),
    ),
    pick=_pick_batch,
    known_fields=frozenset(
        [
            *("recordId", "modelInput", "modelOutput", "error"),
            *("jobArn", "modelId", "endTime", "accountId", "region"),
        ]
    ),
)


def _pick_profile(record: Mapping[str, Any]) -> Sequence[Any]:
    arns = record.get("model_arns")
    return (
        record.get("profile_arn"),
        record.get("profile_name"),
        record.get("status"),
        # All regions of a profile run one model: the id behind the last slash of any of them.
        min((arn.rpartition("/")[2] for arn in arns or [] if isinstance(arn, str)), default=None),
        orjson.dumps(sorted(arn for arn in arns or [] if isinstance(arn, str))).decode(),
        tags_text(record.get("tags") or {}),
    )


INFERENCE_PROFILES = Contract(
    resource="inference_profiles",
    columns=(
        Column("profile_arn", TEXT, required=True),
        Column("profile_name", TEXT),
        Column("status", TEXT),
        Column("model_id", TEXT),
        Column("model_arns", TEXT),
        Column("tags", TEXT),
    ),
    pick=_pick_profile,
    known_fields=frozenset(["profile_arn", "profile_name", "status", "model_arns", "tags"]),
    is_windowed=True,
)
