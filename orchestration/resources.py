"""What assets need from outside, as Dagster resources; secrets come by name of a variable."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dlt import DagsterDltResource

from ingestion.config_loader import Config
from ingestion.config_schema import BedrockSource, LiteLLMSource


class LiteLLMCredentials(dg.ConfigurableResource):
    """Address and read key of one LiteLLM proxy."""

    base_url: str
    api_key: str


class BedrockCredentials(dg.ConfigurableResource):
    """Access to one bucket of invocation logs; empty values leave it to boto3's own chain."""

    endpoint_url: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""


def credentials_key(source_id: str) -> str:
    """The resource key of a source instance's credentials."""
    return f"{source_id.replace('-', '_')}_credentials"


def missing_variables(
    source: LiteLLMSource | BedrockSource, environ: Mapping[str, str]
) -> list[str]:
    """The variables a source names that are not set: such a source is simply not scheduled."""
    return [
        name
        for field, name in source.model_dump().items()
        if field.endswith("_env") and name and not environ.get(name)
    ]


def _env(name: str | None) -> Any:
    return dg.EnvVar(name) if name else ""


def source_resources(config: Config) -> dict[str, Any]:
    """One credentials resource for each declared source."""
    resources: dict[str, Any] = {"dlt": DagsterDltResource()}
    for source in config.sources:
        if isinstance(source, LiteLLMSource):
            resources[credentials_key(source.id)] = LiteLLMCredentials(
                base_url=dg.EnvVar(source.base_url_env), api_key=dg.EnvVar(source.api_key_env)
            )
        else:
            resources[credentials_key(source.id)] = BedrockCredentials(
                endpoint_url=_env(source.endpoint_url_env),
                access_key_id=_env(source.access_key_id_env),
                secret_access_key=_env(source.secret_access_key_env),
            )
    return resources
