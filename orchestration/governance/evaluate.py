"""One snapshot of the facts turned into transitions, messages and wanted limits, all or nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy import Connection, Engine

from ingestion.checkpoints import checkpoint
from orchestration.governance import alerts
from orchestration.governance.announce import (
    Announced,
    announce,
    announce_asked,
    announce_held,
)
from orchestration.governance.approvals import Asked, ask_approvals
from orchestration.governance.budgets import Reading
from orchestration.governance.endpoints import hearing_endpoints
from orchestration.governance.limits import Held, wanted_limits
from orchestration.governance.no_data import tell_no_data
from orchestration.governance.reminders import remind
from orchestration.governance.standings import Moved, key_counts, standings_of, with_edits
from orchestration.governance.subjects import Subject, budget_subject, thresholds_in
from orchestration.ops import evaluator
from orchestration.ops.evaluator import StoredState
from orchestration.ops.store import writing
from orchestration.ops.wants import limited_places, save_want, stored_wants


@dataclass(frozen=True)
class WantChange:
    """A key whose wanted limit changed."""

    gateway: str
    key_ref: str
    key_alias: str | None
    generation: int
    want: str
    budget_ids: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation changed."""

    snapshot_id: int
    as_of: datetime
    is_ignored: bool  # the snapshot was not newer than the last one evaluated
    transitions: tuple[Announced, ...] = ()
    messages: int = 0
    wants: tuple[WantChange, ...] = ()
    held_limits: tuple[Held, ...] = ()  # that wait for trusted data
    asked: tuple[Asked, ...] = ()  # what a person was asked for
    data_errors: tuple[str, ...] = ()

    @property
    def held(self) -> tuple[str, ...]:
        """The budgets whose limits wait for trusted data."""
        return tuple(each.standing.row.budget_id for each in self.held_limits)

    @property
    def approvals(self) -> tuple[str, ...]:
        """The ids of what a person was asked for."""
        return tuple(each.approval_id for each in self.asked)


def evaluate(
    engine: Engine,
    *,
    reading: Reading,
    others: Mapping[str, Sequence[Subject]] = MappingProxyType({}),
    exempt: Collection[str] = (),
) -> Evaluation:
    """The evaluation of a snapshot, committed whole; an older or equal snapshot changes nothing.

    `others` are the subjects besides budgets, by kind. Alerts of a kind that is not there stay as
    they are; one that is missing from its kind is gone. `exempt` are keys that are never limited.
    """
    subjects = {"budget": [budget_subject(row) for row in reading.budgets], **others}
    _refuse_repeats(subjects)
    with writing(engine) as connection:
        checkpoint("evaluate.begun")
        is_newer = evaluator.record_snapshot(
            connection,
            snapshot_id=reading.snapshot_id,
            as_of=reading.as_of,
            checks_ok=reading.checks_ok,
            held=reading.held_reason,
        )
        if not is_newer:
            return Evaluation(reading.snapshot_id, reading.as_of, is_ignored=True)
        result = _evaluate(connection, reading, subjects, exempt)
        checkpoint("evaluate.before_commit")
    checkpoint("evaluate.after_commit")
    return result


def _evaluate(
    connection: Connection,
    reading: Reading,
    subjects: Mapping[str, Sequence[Subject]],
    exempt: Collection[str],
) -> Evaluation:
    first = evaluator.first_evaluated(connection)
    versions = evaluator.last_versions(connection)
    closed = evaluator.closed_periods(connection)
    stored = evaluator.stored_states(connection)
    seen = [subject for kind in subjects.values() for subject in kind]
    moved: list[Moved] = []
    gone: list[tuple[Subject, StoredState]] = []
    for subject in seen:
        before = stored.pop(subject.place, None)
        if subject.is_without_data and subject.tells_no_data and before is not None:
            gone.append((subject, before))
        is_edited = subject.version not in versions.get(subject.alert_id, (subject.version,))
        moved.append(
            _observe(subject, before, reading, first.get(subject.alert_id), closed, is_edited)
        )
        if alerts.is_data_error(subject.value) or subject.is_paused:
            continue  # not an evaluation: the first one that is may still be a baseline
        evaluator.record_version(
            connection,
            alert_id=subject.alert_id,
            version=subject.version,
            body=subject.declaration,
            effective_at=reading.as_of,
        )
    moved += _unseen(stored, subjects, reading)
    moved = with_edits(moved, reading, known=first, versions=versions)
    for each in moved:
        evaluator.save_state(
            connection, each.after, before=each.before, snapshot_id=reading.snapshot_id
        )
    checkpoint("evaluate.states_saved")
    endpoints = hearing_endpoints(connection)
    announced, messages = announce(
        connection,
        [(each.after, move) for each in moved for move in each.moves],
        reading=reading,
        endpoints=endpoints,
    )
    silent = {subject.place: subject.renotify_after for subject in seen if not subject.is_paused}
    messages += remind(
        connection,
        [(each.after, silent.get(each.place)) for each in moved if not each.moves],
        reading=reading,
        endpoints=endpoints,
    )
    messages += tell_no_data(connection, gone, reading=reading, endpoints=endpoints)
    standings = standings_of(moved, reading)
    wants_before = stored_wants(connection)
    wants, held = wanted_limits(
        reading,
        standings=standings,
        before=wants_before,
        limited=limited_places(connection),
        exempt=exempt,
    )
    wants, asked = ask_approvals(
        wants,
        before=wants_before,
        key_counts=key_counts(reading),
        snapshot_id=reading.snapshot_id,
    )
    changes: list[WantChange] = []
    for want in wants:
        place = (want.gateway, want.key_ref)
        save_want(
            connection, want, is_new=place not in wants_before, snapshot_id=reading.snapshot_id
        )
        if place not in wants_before or wants_before[place].generation != want.generation:
            changes.append(
                WantChange(
                    *place,
                    key_alias=want.reasons[0]["key_alias"] if want.reasons else None,
                    generation=want.generation,
                    want=want.want,
                    budget_ids=tuple(reason["budget_id"] for reason in want.reasons),
                )
            )
    messages += announce_held(connection, held, reading=reading, endpoints=endpoints)
    messages += announce_asked(connection, asked, reading=reading, endpoints=endpoints)
    return Evaluation(
        snapshot_id=reading.snapshot_id,
        as_of=reading.as_of,
        is_ignored=False,
        transitions=announced,
        messages=messages,
        wants=tuple(changes),
        held_limits=tuple(held),
        asked=tuple(asked),
        data_errors=tuple(
            f"{subject.alert_id}: the amount is {subject.value}"
            for subject in seen
            if alerts.is_data_error(subject.value) and not subject.is_without_data
        ),
    )


def _observe(
    subject: Subject,
    before: StoredState | None,
    reading: Reading,
    first_evaluated_at: datetime | None,
    closed: frozenset[str],
    is_edited: bool,
) -> Moved:
    seen = alerts.Observation(
        value=subject.value,
        thresholds=subject.thresholds,
        period_end=subject.period_end_at,
        as_of=reading.as_of,
        first_evaluated_at=first_evaluated_at,
        is_closed=f"{subject.period_end_at - timedelta(microseconds=1):%Y-%m}" in closed,
        hysteresis_ratio=subject.hysteresis_ratio,
        is_edited=is_edited,
    )
    current = before.state if before else None
    if subject.is_paused:
        state, moves = alerts.pass_over(current, seen)
    else:
        state, moves = alerts.next_state(current, seen)
    after = StoredState(
        alert_id=subject.alert_id,
        period_start=subject.period_start_at,
        period_end=subject.period_end_at,
        state=state,
        value=None if alerts.is_data_error(subject.value) else subject.value,
        limit_value=subject.limit_value,
        unit=subject.unit,
        version=subject.version,
        context={**subject.context, "recipients": subject.recipients},
    )
    return Moved(before, after, moves)


def _unseen(
    stored: Mapping[tuple[str, datetime], StoredState],
    subjects: Mapping[str, Sequence[Subject]],
    reading: Reading,
) -> list[Moved]:
    """What follows for states that the snapshot does not mention: over, moved or gone.

    An alert that is alive has a row for the period under way: another place under way is of dates
    or a zone that are declared no more.
    """
    alive = {subject.alert_id for kind in subjects.values() for subject in kind}
    moved: list[Moved] = []
    for before in stored.values():
        if before.state.rolled or alerts.kind_of(before.alert_id) not in subjects:
            continue
        thresholds = thresholds_in(before.context)
        if before.period_end <= reading.as_of:
            state, moves = alerts.roll_period(before.state, thresholds)
        elif reading.checks_ok and before.period_start <= reading.as_of:
            cause = "moved" if before.alert_id in alive else "deleted"
            state, moves = alerts.resolve_gone(before.state, thresholds, cause=cause)
        else:
            continue
        moved.append(Moved(before, replace(before, state=state), moves))
    return moved


def _refuse_repeats(subjects: Mapping[str, Sequence[Subject]]) -> None:
    places = [subject.place for kind in subjects.values() for subject in kind]
    if len(places) != len(set(places)):
        repeated = sorted({place[0] for place in places if places.count(place) > 1})
        raise ValueError(f"the marts have two rows for one alert and period: {repeated}")
