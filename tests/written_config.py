"""Declarations as files: a configuration that a test writes down."""

from collections.abc import Mapping
from pathlib import Path


def write_config(folder: Path, files: Mapping[str, str]) -> Path:
    """Each text as the YAML file of its name in the folder; the folder."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder
