"""The proxy's customers (end users): blocked or over their budget, a call for one is refused.

A customer is known once a call was for it. It has no metadata; its budget is a record of its own.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from sandbox.proxy_http import JsonObject, ProxyError, bad_request
from sandbox.state import State
from sandbox.world import World


class Customers:
    """Customers by id; changes are written to the state at once."""

    def __init__(self, world: World, *, state: State) -> None:
        self._state = state
        self._spend: defaultdict[str, Decimal] = defaultdict(Decimal)
        for name, spent in world.spend_by("customer").items():
            if name:
                self._spend[name] += spent

    def count_in(self, rows: Iterable[JsonObject]) -> None:
        """Let the spend of added log rows count against whom they were for."""
        for row in rows:
            spend, name = row.get("spend"), row.get("end_user")
            is_number = isinstance(spend, int | float) and not isinstance(spend, bool)
            if is_number and isinstance(name, str) and name:
                self._spend[name] += Decimal(repr(spend))

    def info(self, name: str) -> JsonObject:
        """The record of a customer, what is null left out; 404 in the proxy's words."""
        if name not in self._spend:
            raise ProxyError(
                f"End User Id={name} does not exist in db",
                type="not_found", param="end_user_id", status=404,
            )  # fmt: skip
        kept = self._state.get("customer", id=name) or {"blocked": False, "max_budget": None}
        budget = {"budget_id": f"budget-{name}", "max_budget": kept["max_budget"]}
        shown = {"user_id": name, "blocked": kept["blocked"], "spend": float(self._spend[name])}
        return shown if kept["max_budget"] is None else {**shown, "litellm_budget_table": budget}

    def update(self, name: str, *, changes: JsonObject) -> JsonObject:
        """Set what the caller named, null included, and nothing else; the new record."""
        shown = self.info(name)
        budget = shown.get("litellm_budget_table", {}).get("max_budget")
        kept = {"blocked": shown["blocked"], "max_budget": budget}
        named = {field: value for field, value in changes.items() if field in kept}
        self._state.put("customer", id=name, body={**kept, **named})
        return self.info(name)

    def failing(self, path: str, *, names: Iterable[object]) -> ProxyError:
        """The proxy's answer to /customer/block, which blocks all the same, and to unblock."""
        if path.endswith("/unblock"):
            text = "Blocked user check was never set. This call has no effect."
            return bad_request(text, param=None)
        for name in names:
            self.update(str(name), changes={"blocked": True})
        return ProxyError("ResponseValidationError", type="None", param=None, status=500)

    def admit(self, name: str) -> None:
        """Nothing, if a call for that customer may be made now; otherwise the refusal."""
        if name not in self._spend:
            return
        shown = self.info(name)
        if shown["blocked"]:
            raise bad_request(f"User blocked from making LLM API Calls. User={name}", param=None)
        allowed = shown.get("litellm_budget_table", {}).get("max_budget")
        if allowed is not None and shown["spend"] >= allowed:
            raise ProxyError(
                f"ExceededBudget: End User={name} over budget. "
                f"Spend={shown['spend']}, Budget={float(allowed)}",
                type="budget_exceeded", param=None, status=422,
            )  # fmt: skip
