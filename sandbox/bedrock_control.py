"""Bedrock's control plane: an application inference profile, and a batch job a week.

Speaks the service's REST-JSON protocol, as boto3's `bedrock` client expects it. The output of the
jobs stands in the log bucket; a job's records name neither a model nor a time. Nobody checks the
signature of a request, as moto does not.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.company import ACCOUNT_ID, BUCKET, REGION
from sandbox.proxy_http import JsonObject, json_response
from sandbox.vendor import Call, Grounds, Stored, own_calls

PROFILE_ARN = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:application-inference-profile/a1b2c3d4e5f6"
PROFILE_TAGS = {"team": "team-data", "application": "catalogue-enrichment"}
_MODEL_ID = "anthropic.claude-haiku-4-5-20251001-v1:0"
_FOLDER = "batch-output"
_RECORDS_A_DAY = 8


class BedrockControl:
    """Profiles and jobs of the account."""

    def __init__(self, grounds: Grounds) -> None:
        self._canary = grounds.canary
        self._jobs: dict[str, list[Call]] = {}
        self._ended: dict[str, datetime] = {}
        for call in own_calls(grounds, name="batch", a_day=_RECORDS_A_DAY, models=[PROFILE_ARN]):
            monday = (call.at - timedelta(days=call.at.weekday())).date()
            job_id = f"job{monday:%Y%m%d}"
            ended_at = datetime.combine(
                monday + timedelta(days=7), datetime.min.time(), tzinfo=call.at.tzinfo
            ) + timedelta(hours=3)
            # What is gathered this week is sent at its end.
            if ended_at < grounds.as_of:
                self._jobs.setdefault(job_id, []).append(call)
                self._ended[job_id] = ended_at

    def routes(self) -> list[Route]:
        """The operations that the platform asks."""
        return [
            Route("/bedrock-control/inference-profiles", self._profiles),
            Route("/bedrock-control/listTagsForResource", self._tags, methods=["POST"]),
            Route("/bedrock-control/model-invocation-jobs", self._list_jobs),
        ]

    def environment(self, url: str) -> dict[str, str]:
        """Where the control plane answers."""
        return {"BEDROCK_MAIN_CONTROL_URL": f"{url}/bedrock-control"}

    def counts(self) -> dict[str, int | str]:
        """Records of the jobs that ended."""
        records = [call for calls in self._jobs.values() for call in calls]
        served = [call for call in records if not call.is_error]
        return {
            "jobs": len(self._jobs),
            "records": len(records),
            "input_tokens": sum(call.input_tokens for call in served),
            "cache_read_tokens": sum(call.cache_read_tokens for call in served),
            "output_tokens": sum(call.output_tokens for call in served),
        }

    def objects(self) -> Iterator[Stored]:
        """The output of each job, as it lies in the bucket."""
        for job_id, calls in self._jobs.items():
            lines = [orjson.dumps(self._record(call)) for call in calls]
            yield Stored(
                key=f"{_FOLDER}/{job_id}/records.jsonl.out",
                body=b"\n".join(lines) + b"\n",
                last_modified=self._ended[job_id],
            )

    def _record(self, call: Call) -> JsonObject:
        record: JsonObject = {
            "recordId": f"REC{call.number:07d}",
            "modelInput": {"messages": [{"role": "user", "content": self._canary}]},
        }
        if call.is_error:
            return record | {"error": {"errorCode": 400, "errorMessage": self._canary}}
        usage = {
            "input_tokens": call.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": call.cache_read_tokens,
            "output_tokens": call.output_tokens,
        }
        content = [{"type": "text", "text": self._canary}]
        return record | {
            "modelOutput": {
                "id": f"msg_bdrk_{call.number:012d}",
                "type": "message",
                "content": content,
                "usage": usage,
            }
        }

    async def _profiles(self, request: Request) -> Response:
        profile = {
            "inferenceProfileName": "catalogue-enrichment",
            "inferenceProfileArn": PROFILE_ARN,
            "inferenceProfileId": PROFILE_ARN.rpartition("/")[2],
            "models": [{"modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{_MODEL_ID}"}],
            "status": "ACTIVE",
            "type": "APPLICATION",
        }
        wanted = request.query_params.get("type", "APPLICATION")
        listed = [profile] if wanted == "APPLICATION" else []
        return json_response({"inferenceProfileSummaries": listed})

    async def _tags(self, request: Request) -> Response:
        asked = orjson.loads(await request.body()).get("resourceARN")
        tags = PROFILE_TAGS if asked == PROFILE_ARN else {}
        return json_response({"tags": [{"key": key, "value": tags[key]} for key in tags]})

    async def _list_jobs(self, request: Request) -> Response:
        offset = int(request.query_params.get("nextToken", "0"))
        size = int(request.query_params.get("maxResults", "100"))
        ids = list(self._jobs)
        listed = [
            {
                "jobArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:model-invocation-job/{job_id}",
                "jobName": f"enrich-{job_id}",
                "modelId": PROFILE_ARN,
                "roleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/batch",
                "status": "Completed",
                "submitTime": (self._ended[job_id] - timedelta(hours=3)).isoformat(),
                "endTime": self._ended[job_id].isoformat(),
                "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://{BUCKET}/batch-input/"}},
                "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/{_FOLDER}/"}},
            }
            for job_id in ids[offset : offset + size]
        ]
        more = {"nextToken": str(offset + size)} if offset + size < len(ids) else {}
        return json_response({"invocationJobSummaries": listed, **more})
