"""The usage-limit policies of the Portkey stand-in: made, listed by pages, counted, changed."""

from dataclasses import dataclass, field
from typing import Any

from scripted_server import Answer, Asked

POLICIES = "/policies/usage-limits"
_PAGE = 50  # rows at a time, whatever is asked for
_CHANGED_BY_PUT = {
    "conditions", "credit_limit", "alert_threshold", "periodic_reset", "reset_usage_for_value",
}  # fmt: skip


def refusal(status: int) -> Answer:
    """A refusal in the control plane's own words."""
    message = "You do not have enough permissions to execute this request"
    return Answer({"success": False, "data": {"message": message}}, status=status)


@dataclass
class UsagePolicies:
    """Policies by id, and what each has counted of each key."""

    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, **facts: Any) -> str:
        """A policy, as a person or a request makes it; its id."""
        number = len(self.used) + 1
        id = f"policy-{number}"
        created_at = f"2026-11-20T00:00:{number:02}Z"
        self.stored[id] = {"id": id, "status": "active", "created_at": created_at, **facts}
        self.used[id] = {}
        return id

    def answer(self, asked: Asked) -> Answer:
        """The answer to one request below `/policies/usage-limits`."""
        id, _, rest = asked.path.removeprefix(POLICIES).removeprefix("/").partition("/")
        if not id and asked.method == "POST":
            return self._create(asked.json())
        if not id:
            return _page(asked, list(self.stored.values()))
        if id not in self.stored:
            return refusal(404)
        if rest == "entities":
            entities = [
                {"id": f"entity-{key}", "value_key": key, "current_usage": usage}
                for key, usage in self.used[id].items()
            ]
            return _page(asked, entities)
        if asked.method == "DELETE":
            del self.stored[id]
        if asked.method == "PUT":
            changes = asked.json()
            if not changes.keys() <= _CHANGED_BY_PUT or not _is_limit(changes["credit_limit"]):
                return refusal(400)
            self.stored[id].update(changes)
        return Answer({})

    def _create(self, body: dict[str, Any]) -> Answer:
        is_scoped = "workspace_id" in body or "organisation_id" in body
        is_complete = is_scoped and body["conditions"] and body["group_by"]
        if not is_complete or body["type"] != "cost" or not _is_limit(body["credit_limit"]):
            return refusal(400)
        return Answer({"id": self.add(**body), "object": "policy_usage_limits"})


def _page(asked: Asked, found: list[dict[str, Any]]) -> Answer:
    size, page = min(int(asked.query["page_size"]), _PAGE), int(asked.query["current_page"])
    data = found[page * size :][:size]
    return Answer({"object": "list", "total": len(found), "data": data})


def _is_limit(value: Any) -> bool:
    return isinstance(value, int) and value >= 1
