"""What assets need from outside, as Dagster resources; secrets come by name of a variable."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dlt import DagsterDltResource
from pydantic import create_model

from ingestion.config_loader import Config
from ingestion.source_config import SourceConfig
from ingestion.systems import credential_fields, is_read


class Credentials(dg.ConfigurableResource):
    """What one source instance signs in with; a system's fields are added to it."""

    def values(self) -> Mapping[str, str | None]:
        """The arguments of the dlt source; what is not set is None."""
        return {name: getattr(self, name) or None for name in type(self).model_fields}


def credentials_key(source_id: str) -> str:
    """The resource key of a source instance's credentials."""
    return f"{source_id.replace('-', '_')}_credentials"


def _credentials(source: SourceConfig) -> Credentials:
    names = credential_fields(type(source))
    kind = create_model(
        f"{type(source).__name__.removesuffix('Source')}Credentials",
        __base__=Credentials,
        __doc__=f"Credentials of one {source.system} instance.",
        **{name: (str, "") for name in names},
    )
    variables = {name: getattr(source, f"{name}_env") for name in names}
    return kind(**{name: dg.EnvVar(variable) for name, variable in variables.items() if variable})


def source_resources(config: Config) -> dict[str, Any]:
    """One credentials resource for each declared source that is read."""
    resources: dict[str, Any] = {"dlt": DagsterDltResource()}
    for source in config.sources:
        if is_read(source):
            resources[credentials_key(source.id)] = _credentials(source)
    return resources
