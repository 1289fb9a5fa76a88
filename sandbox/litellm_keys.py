"""The proxy's keys, teams and customers: their limits, their spend, and who is refused and why.

Limits are state; spend is what the log says. A raw key is known here by its hash alone.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from sandbox.company import KEYS, TEAM_ALIASES, Key, hash_key
from sandbox.litellm_customers import Customers
from sandbox.proxy_http import JsonObject, ProxyError, authentication_error, unknown_token
from sandbox.state import State
from sandbox.world import World

_HASH = re.compile(r"[0-9a-f]{64}")
_LIMITS: JsonObject = {
    "max_budget": None, "soft_budget": None, "budget_duration": None, "budget_reset_at": None,
    "tpm_limit": None, "rpm_limit": None, "blocked": None, "metadata": {},
}  # fmt: skip
_CREATED: JsonObject = {
    "created_at": "2026-01-05T08:00:00+00:00", "created_by": "default_user_id",
}  # fmt: skip
_UPDATABLE = (
    *_LIMITS, "tpd_limit", "temp_budget_increase", "temp_budget_expiry", "team_member_budget",
)  # fmt: skip


class Keyring:
    """Keys and teams by hash and id, with its customers; changes are written at once."""

    def __init__(self, world: World, *, state: State) -> None:
        self._state = state
        self.customers = Customers(world, state=state)
        state.add("key", documents={key.hashed: _record(key) for key in KEYS})
        self._spend = dict.fromkeys(state.all("key"), Decimal(0))
        self._team_spend = {team_id: Decimal(0) for team_id in TEAM_ALIASES}
        hashes = {key.alias: key.hashed for key in KEYS}
        for alias, spent in world.spend_by("key_alias").items():
            self._spend[hashes[alias]] += spent
        for team_id, spent in world.spend_by("team_id").items():
            self._team_spend[team_id] += spent
        state.add(
            "team",
            documents={
                team_id: {
                    "team_id": team_id, "team_alias": alias, "organization_id": None,
                    "models": [], **_LIMITS, **_CREATED,
                }
                for team_id, alias in TEAM_ALIASES.items()
            },
        )  # fmt: skip

    def count_in(self, rows: Iterable[JsonObject]) -> None:
        """Let the spend of added log rows count against their key, team and customer."""
        rows = list(rows)
        self.customers.count_in(rows)
        for row in rows:
            spend = row.get("spend")
            if isinstance(spend, int | float) and not isinstance(spend, bool):
                exact = Decimal(repr(spend))
                for totals, name in (
                    (self._spend, row.get("api_key")),
                    (self._team_spend, row.get("team_id")),
                ):
                    if isinstance(name, str) and name in totals:
                        totals[name] += exact

    def hashes(self) -> list[str]:
        """The hash of every key, in the order they were made."""
        return list(self._state.all("key"))

    def is_known(self, hashed: str) -> bool:
        """Whether a key of that hash exists."""
        return self._state.get("key", id=hashed) is not None

    def key(self, key: str) -> JsonObject:
        """The record of a key given raw or as its hash; 400 or 404 in the proxy's words."""
        hashed = self.hash_of(key)
        record = self._state.get("key", id=hashed)
        if record is None:
            raise ProxyError("Key not found.", type="not_found_error", param="key", status=404)
        return {"token": hashed, **record, "spend": float(self._spend[hashed])}

    def team(self, team_id: str) -> JsonObject:
        """The record of a team; 404 in the proxy's words."""
        record = self._state.get("team", id=team_id)
        if record is None:
            raise ProxyError(
                f"Team not found, passed team id: {team_id}.",
                type="not_found_error", param="team_id", status=404,
            )  # fmt: skip
        return {**record, "spend": float(self._team_spend[team_id])}

    def issue(self, key: Key) -> JsonObject:
        """The record of a new key; 400 in the proxy's words where its alias is taken."""
        self.team(key.team_id)
        if not self._state.add("key", documents={key.hashed: _record(key)}):
            raise ProxyError(
                f"Key with alias '{key.alias}' already exists. "
                "Unique key aliases across all keys are required.",
                type="bad_request_error", param="key_alias", status=400,
            )  # fmt: skip
        self._spend[key.hashed] = Decimal(0)
        return self.key(key.hashed)

    def update_key(self, key: str, *, changes: JsonObject) -> JsonObject:
        """Set what the caller named, null included, and nothing else; the new record."""
        self.key(key)
        self._update("key", id=self.hash_of(key), changes=changes)
        return self.key(key)

    def update_team(self, team_id: str, *, changes: JsonObject) -> JsonObject:
        """Set what the caller named, null included, and nothing else; the new record."""
        self.team(team_id)
        self._update("team", id=team_id, changes=changes)
        return self.team(team_id)

    def admit(self, raw_key: str, *, customer: object) -> JsonObject:
        """The record of a key that may call a model now, for whom; otherwise the refusal."""
        hashed = hash_key(raw_key)
        if not self.is_known(hashed):
            raise unknown_token(raw_key)
        key = self.key(hashed)
        team = self.team(key["team_id"])
        if key["blocked"]:
            raise authentication_error(
                "Key is blocked. Update via `/key/unblock` if you're an admin."
            )
        if team["blocked"]:
            raise authentication_error(
                f"Team={team['team_id']} is blocked. Update via `/team/unblock` if you're an admin."
            )
        _check_budget(key, who=f"Key={key['key_alias']} ({key['key_name']})")
        _check_budget(team, who=f"Team={team['team_id']}")
        if isinstance(customer, str):
            self.customers.admit(customer)
        return key

    def hash_of(self, key: object) -> str:
        """The hash of a key given raw or hashed already; 400 in the proxy's words if neither."""
        if isinstance(key, str) and _HASH.fullmatch(key):
            return key
        if isinstance(key, str) and key.startswith("sk-"):
            return hash_key(key)
        raise ProxyError("Invalid key format.", type="bad_request_error", param="key", status=400)

    def _update(self, kind: str, *, id: str, changes: JsonObject) -> None:
        named = {name: value for name, value in changes.items() if name in _UPDATABLE}
        if "metadata" in named:
            named["metadata"] = named["metadata"] or {}
        self._state.put(kind, id=id, body={**self._state.get(kind, id=id), **named})


def _record(key: Key) -> JsonObject:
    return {
        "key_name": f"sk-...{key.raw[-4:]}", "key_alias": key.alias, "team_id": key.team_id,
        "user_id": None, "expires": None, "models": [], **_LIMITS, **_CREATED,
    }  # fmt: skip


def _check_budget(record: JsonObject, *, who: str) -> None:
    allowed = record["max_budget"]
    if allowed is not None and record["spend"] >= allowed:
        raise ProxyError(
            f"Budget has been exceeded! {who} Current cost: {record['spend']}, "
            f"Max budget: {float(allowed)}",
            type="budget_exceeded",
            param=None,
            status=422,
        )
