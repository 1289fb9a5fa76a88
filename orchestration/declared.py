"""The declarations in force: those in config/, or the last good ones while config/ is wrong."""

import logging
import shutil
from pathlib import Path

from ingestion.config_loader import Config, ConfigError, load_config
from ingestion.imported_tables import copy_tables, imported_tables
from orchestration import settings
from orchestration.warehouse import writer_lock

_TABLES = "imported_tables"
_LOG = logging.getLogger(__name__)


def declared_config() -> Config | None:
    """The configuration in force; None where there never was a good one. Says so when it is old."""
    try:
        return read_config()
    except ConfigError as error:
        _LOG.error("config/ is refused, the last good one stays in force: %s", error)
    kept = _kept_path()
    return load_config(kept, tables=kept / _TABLES) if kept.exists() else None


def read_config() -> Config:
    """What config/ says, with the imported tables as they were last copied."""
    return load_config(settings.config_path(), tables=settings.home() / _TABLES)


def copy_imported_tables() -> None:
    """Copies the warehouse tables that config/ imports, if any; raises where one is not there."""
    home, config = settings.home(), settings.config_path()
    if imported_tables(config):
        with writer_lock(home):
            copy_tables(config, home=home, to=home / _TABLES)


def keep_as_good(path: Path) -> None:
    """Remembers a configuration that was accepted and loaded."""
    kept = _kept_path()
    fresh = kept.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(path, fresh)
    if (settings.home() / _TABLES).exists():
        shutil.copytree(settings.home() / _TABLES, fresh / _TABLES)
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)


def _kept_path() -> Path:
    return settings.home() / "config_last_good"
