"""The declarations in force: those in config/, or the last good ones while config/ is wrong."""

import logging
import shutil
from pathlib import Path

from ingestion.config_loader import Config, ConfigError, load_config
from orchestration import settings

_LOG = logging.getLogger(__name__)


def declared_config() -> Config | None:
    """The configuration in force; None where there never was a good one. Says so when it is old."""
    try:
        return load_config(settings.config_path())
    except ConfigError as error:
        _LOG.error("config/ is refused, the last good one stays in force: %s", error)
    kept = _kept_path()
    return load_config(kept) if kept.exists() else None


def keep_as_good(path: Path) -> None:
    """Remembers a configuration that was accepted and loaded."""
    kept = _kept_path()
    fresh = kept.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(path, fresh)
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)


def _kept_path() -> Path:
    return settings.home() / "config_last_good"
