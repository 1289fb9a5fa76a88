"""Budgets and alerts as rows of `raw_config`: levels as shares, or in what is counted."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa

from ingestion.config_budgets import LEVELS, Budget, Filter, length_of
from ingestion.config_versions import version_of
from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, exact

Rows = Iterator[tuple[Any, ...]]
_FILTERS = tuple(Filter.model_fields)

BUDGET_COLUMNS: dict[str, tuple[tuple[str, pa.DataType], ...]] = {
    "budgets": (
        ("budget_id", TEXT),
        ("budget_version", TEXT),
        ("entity_key", TEXT),
        ("scope", TEXT),
        ("measure", TEXT),
        ("unit", TEXT),
        *((f"{name}_filter", TEXT) for name in _FILTERS),
        ("period", TEXT),
        ("rolling_minutes", INTEGER),
        ("anchor_day", INTEGER),
        ("timezone", TEXT),
        ("amount", MONEY),
        ("threshold_kind", TEXT),
        *((f"{level}_level", MONEY) for level in LEVELS),
        ("hysteresis_ratio", MONEY),
        ("renotify_minutes", INTEGER),
        ("on_no_data", TEXT),
        ("mode", TEXT),
        ("action", TEXT),
        ("requests_per_minute", INTEGER),
        ("is_paused", pa.bool_()),
        ("recipients", TEXT),
        ("valid_from_at", UTC_TIME),
        ("valid_to_at", UTC_TIME),
    ),
    "alerts": (
        ("alert_id", TEXT),
        ("alert_version", TEXT),
        ("kind", TEXT),
        ("entity_key", TEXT),
        ("window_minutes", INTEGER),
        ("floor_usd", MONEY),
        *((f"{level}_threshold", MONEY) for level in LEVELS),
        ("hysteresis_ratio", MONEY),
        ("renotify_minutes", INTEGER),
        ("action", TEXT),
        ("on_no_data", TEXT),
        ("is_paused", pa.bool_()),
        ("recipients", TEXT),
    ),
    "budget_tags": (("tag_key", TEXT), ("tag_value", TEXT)),
    "budget_increases": (
        ("budget_id", TEXT),
        ("amount", MONEY),
        ("valid_from_at", UTC_TIME),
        ("valid_to_at", UTC_TIME),
    ),
}


def budgets(config: Any) -> Rows:
    """One row an enabled budget of one entity; an edit is a new version."""
    for budget in _enabled(config):
        yield (
            budget.id,
            version_of(budget)[:16],
            budget.entity,
            budget.scope,
            budget.measure,
            budget.counted_in,
            *(_between_bars(getattr(budget.filter, name)) for name in _FILTERS),
            budget.period,
            _minutes(budget.length),
            budget.anchor_day,
            budget.timezone,
            exact(budget.amount),
            "share" if budget.thresholds.unit == "share" else "absolute",
            *(exact(getattr(budget.thresholds, level)) for level in LEVELS),
            exact(budget.hysteresis),
            _minutes(budget.renotify_after),
            budget.on_no_data,
            budget.mode,
            next(iter(budget.actions), None),
            budget.requests_per_minute,
            budget.paused,
            _recipients(budget.to),
            budget.valid_from_at,
            budget.valid_to_at,
        )


def budget_increases(config: Any) -> Rows:
    """One row a temporary increase of an enabled budget."""
    for budget in _enabled(config):
        for more in budget.increases:
            yield budget.id, exact(more.amount), more.valid_from_at, more.valid_to_at


def budget_tags(config: Any) -> Rows:
    """One row a tag that any enabled budget asks for."""
    for tag in tags_asked_for(config):
        key, _, value = tag.partition("=")
        yield key, value


def tags_asked_for(config: Any) -> list[str]:
    """The tags, written key=value, that roll-ups have to keep apart."""
    return sorted({budget.filter.tag for budget in _enabled(config)} - {None})


def alerts(config: Any) -> Rows:
    """One row an enabled alert of one entity, or of the whole."""
    for alert in config.alerts:
        if alert.enabled:
            yield (
                alert.id,
                version_of(alert)[:16],
                alert.kind,
                alert.entity,
                _minutes(alert.window),
                exact(alert.floor_usd),
                *(exact(getattr(alert.thresholds, level)) for level in LEVELS),
                exact(alert.hysteresis),
                _minutes(alert.renotify_after),
                next(iter(alert.actions), None),
                alert.on_no_data,
                alert.paused,
                _recipients(alert.to),
            )


BUDGET_ROWS = {
    "alerts": alerts,
    "budgets": budgets,
    "budget_increases": budget_increases,
    "budget_tags": budget_tags,
}


def _enabled(config: Any) -> Iterator[Budget]:
    return (budget for budget in config.budgets if budget.enabled)


def _between_bars(values: tuple[str, ...] | str | None) -> str | None:
    listed = (values,) if isinstance(values, str) else values
    return f"|{'|'.join(listed)}|" if listed else None


def _recipients(to: str | tuple[str, ...]) -> str | None:
    return to if isinstance(to, str) else _between_bars(to)


def _minutes(length: str | None) -> int | None:
    return None if length is None else length_of(length) // timedelta(minutes=1)
