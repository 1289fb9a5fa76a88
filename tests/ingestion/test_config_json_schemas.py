"""Editors are told what the loader accepts: the schemas are fresh, and the demo fits them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ingestion.config_files import LISTS
from ingestion.config_json_schemas import json_schemas
from ingestion.config_yaml import read_yaml

CONFIG = Path(__file__).resolve().parents[2] / "config"
FILES = sorted(LISTS)


def plain(value: Any) -> Any:
    """The values as an editor reads them: numbers are numbers."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


def problems(file: str, value: Any) -> list[str]:
    schema = json.loads(json_schemas()[file.replace(".yaml", ".schema.json")])
    validator = jsonschema.Draft202012Validator(schema)
    return [error.json_path for error in validator.iter_errors(value)]


def test_the_schemas_beside_the_demo_are_fresh() -> None:
    found = {
        path.name: path.read_text(encoding="utf-8")
        for path in (CONFIG / "schemas").glob("*.schema.json")
    }
    assert found == json_schemas(), "run `meterhouse init`"


@pytest.mark.parametrize("file", FILES)
def test_every_file_of_the_demo_names_its_schema_and_fits_it(file: str) -> None:
    path = CONFIG / file
    first = path.read_text(encoding="utf-8").splitlines()[0]
    schema = file.replace(".yaml", ".schema.json")
    assert first == f"# yaml-language-server: $schema=schemas/{schema}"
    assert problems(file, plain(read_yaml(path, shown_as=file).value)) == []


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("entities.yaml", {"entities": [{"id": "acme", "type": "company"}]}),
        ("entities.yaml", {"entities": [{"id": "acme", "type": "team", "boss": "ada"}]}),
        ("features.yaml", {"feature": []}),
        ("sources.yaml", {"sources": [{"id": "x", "system": "nobody"}]}),
    ],
)
def test_what_the_loader_refuses_for_its_shape_an_editor_marks(file: str, value: Any) -> None:
    assert problems(file, value)
