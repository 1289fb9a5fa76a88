"""`meterhouse init`: what an editor needs to check config/ while one types."""

import click

from ingestion.config_json_schemas import json_schemas
from orchestration import settings


@click.command()
def init() -> None:
    """Write a JSON Schema for each file of config/ to config/schemas/.

    A file names its schema in its first line: # yaml-language-server: $schema=schemas/….schema.json
    """
    folder = settings.config_path() / "schemas"
    folder.mkdir(parents=True, exist_ok=True)
    texts = json_schemas()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    click.echo(f"{len(texts)} schemas written to {folder}")
