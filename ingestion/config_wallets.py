"""What `config/wallets.yaml` and `config/wallet_entries.yaml` may say: prepaid balances.

Belongs here: the shape of wallets and entries, and what they say about each other. What is drawn
when is decided by the ledger (`orchestration/governance/wallets.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from ingestion.config_budgets import Hysteresis, Length, Recipients
from ingestion.config_org import Feature
from ingestion.config_schema import Dated, Moment
from ingestion.config_tree import Node, Placed
from ingestion.config_types import Declared, Id, Money, Text
from ingestion.config_yaml import Problem
from ingestion.source_config import SourceConfig

Amount = Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=6)]
Priority = Annotated[int, Field(ge=0, le=1_000_000)]
Days = Annotated[int, Field(ge=1, le=36_500)]
GrantId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-zA-Z0-9._:/-]{0,250}$")]
EntryId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._:-]{0,127}$")]
Category = Literal["purchased", "promotional"]


class RecurringGrant(Declared):
    """A grant that comes again with each cycle from `starts_at` on, in UTC."""

    id: Id
    amount: Amount
    every: Literal["day", "week", "month", "quarter", "year"]
    starts_at: Moment
    ends_at: Moment | None = None
    priority: Priority | None = None
    category: Category = "promotional"
    expires: Literal["never", "cycle_end", "after"] = "never"
    expires_after_days: Days | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.every in ("month", "quarter", "year") and self.starts_at.day > 28:
            raise ValueError("starts_at: cycles begin on a day that every month has")
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError("starts_at must be before ends_at")
        if (self.expires == "after") != (self.expires_after_days is not None):
            raise ValueError("expires_after_days belongs to expires: after, and it needs it")
        return self


class AutoTopUp(Declared):
    """What is added when the balance has come down to `threshold`; equality counts."""

    threshold: Money
    amount: Amount | None = None
    target: Amount | None = None
    # Pending until an entry pays for it (`top_up: <number>`), or calls it off.
    needs_confirmation: bool = False
    cooldown_hours: Annotated[int, Field(ge=1, le=8_784)] = 24
    priority: Priority | None = None
    expires_after_days: Days | None = None

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.amount is None) == (self.target is None):
            raise ValueError("say either amount or target")
        if self.target is not None and self.target <= self.threshold:
            raise ValueError("target must be above threshold")
        return self


class WalletAlert(Declared):
    """Levels of what is left; reaching one fires it. Of a feature: what that feature can draw."""

    feature: Id | None = None
    condition: Literal["above", "below"] = "below"
    unit: Literal["currency", "credits"] = "currency"
    info: Money | None = None
    warning: Money | None = None
    critical: Money | None = None
    hysteresis: Hysteresis = Decimal(0)
    renotify_after: Length | None = None
    paused: bool = False
    to: Recipients = ()  # left out: every endpoint that subscribed

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.condition == "above":
            raise ValueError("a wallet alerts below its thresholds, never above")
        levels = [self.info, self.warning, self.critical]
        present = [level for level in levels if level is not None]
        if not present:
            raise ValueError("an alert needs at least one of info, warning and critical")
        if self.warning is not None and self.critical is None:
            raise ValueError("a warning needs a critical")
        if present != sorted(present, reverse=True):
            raise ValueError("the order is info >= warning >= critical")
        return self


class Wallet(Dated):
    """A balance that use of one node draws on; `shared`: that of every node below it as well."""

    id: Id
    name: Text | None = None
    entity: Id
    shared: bool = False
    measure: Literal["cost", "charged"] = "cost"
    currency: Literal["USD"] = "USD"
    # What one credit is, in currency: for display.
    conversion_rate: Amount | None = None
    sources: tuple[Id, ...] = ()
    applications: tuple[Id, ...] = ()
    features: tuple[Id, ...] = ()
    recurring: tuple[RecurringGrant, ...] = ()
    auto_top_up: AutoTopUp | None = None
    alerts: tuple[WalletAlert, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.valid_from_at is None:
            raise ValueError("valid_from_at is needed: use before it is not the wallet's")
        if len({grant.id for grant in self.recurring}) < len(self.recurring):
            raise ValueError("recurring: two have one id")
        if any(grant.id == "top-up" for grant in self.recurring):
            raise ValueError("recurring: top-up is what auto_top_up is called")
        if len({alert.feature for alert in self.alerts}) < len(self.alerts):
            raise ValueError("alerts: one for the wallet and one a feature, at most")
        if self.conversion_rate is None and any(a.unit == "credits" for a in self.alerts):
            raise ValueError("alerts: unit credits needs a conversion_rate")
        return self


class WalletEntry(Declared):
    """One entry of the wallet's book; `id` is its idempotency key. Entries are added, never edited.

    Amounts are currency; an adjustment has a sign, a void without one is of all that is left.
    """

    id: EntryId
    wallet: Id
    kind: Literal["grant", "void", "transfer", "adjustment"]
    amount: Money | None = None
    effective_at: Moment
    expires_at: Moment | None = None
    priority: Priority | None = None
    category: Category | None = None
    grant: (
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-zA-Z0-9._:/-]{0,250}$")] | None
    ) = None
    to_wallet: Id | None = None
    top_up: Annotated[int, Field(ge=1)] | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        kind, amount = self.kind, self.amount
        if kind != "void" and amount is None:
            raise ValueError(f"a {kind} needs an amount")
        if amount is not None and (amount == 0 if kind == "adjustment" else amount <= 0):
            raise ValueError(
                "amount must not be 0" if kind == "adjustment" else "amount must be above 0"
            )
        for name in ("expires_at", "priority", "category"):
            if kind != "grant" and getattr(self, name) is not None:
                raise ValueError(f"{name} belongs to a grant")
        if self.expires_at is not None and self.expires_at <= self.effective_at:
            raise ValueError("effective_at must be before expires_at")
        if (kind == "transfer") != (self.to_wallet is not None):
            raise ValueError("to_wallet belongs to a transfer, and it needs it")
        if kind == "void" and (self.grant is None) == (self.top_up is None):
            raise ValueError("a void is of either a grant or a top_up")
        if kind != "void" and self.grant is not None:
            raise ValueError("grant belongs to a void: the grant that it ends")
        if self.top_up is not None and kind not in ("grant", "void"):
            raise ValueError("top_up belongs to the grant that pays it, or to a void")
        return self


def wallet_problems(
    wallets: Sequence[Placed[Wallet]],
    entries: Sequence[Placed[WalletEntry]],
    *,
    sources: Sequence[SourceConfig],
    nodes: Mapping[str, Node],
    features: Sequence[Feature],
) -> Iterator[Problem]:
    """Wallets and entries that name what is not there."""
    known = {
        "sources": {source.id for source in sources},
        "applications": {node.id for node in nodes.values() if node.type == "application"},
        "features": {feature.id for feature in features},
    }
    for placed in wallets:
        wallet = placed.value
        if wallet.entity not in nodes:
            yield placed.problem(f"no entity is called {wallet.entity}", "entity")
        for part, names in known.items():
            for index, name in enumerate(getattr(wallet, part)):
                if name not in names:
                    yield placed.problem(f"no {part[:-1]} is called {name}", part, index)
        for index, alert in enumerate(wallet.alerts):
            allowed = wallet.features or known["features"]
            if alert.feature is not None and alert.feature not in allowed:
                yield placed.problem(
                    f"{alert.feature} is no feature that draws on {wallet.id}",
                    "alerts",
                    index,
                    "feature",
                )
    by_id = {placed.value.id: placed.value for placed in wallets}
    grants = {
        (e.value.wallet, e.value.id) for e in entries if e.value.kind in ("grant", "adjustment")
    }
    for placed in entries:
        yield from _entry_problems(placed, by_id, grants)


def _entry_problems(
    placed: Placed[WalletEntry], wallets: Mapping[str, Wallet], grants: set[tuple[str, str]]
) -> Iterator[Problem]:
    entry = placed.value
    wallet = wallets.get(entry.wallet)
    if wallet is None:
        yield placed.problem(f"no wallet is called {entry.wallet}", "wallet")
        return
    if entry.to_wallet is not None and entry.to_wallet not in wallets:
        yield placed.problem(f"no wallet is called {entry.to_wallet}", "to_wallet")
    if entry.to_wallet == entry.wallet:
        yield placed.problem("a transfer is to another wallet", "to_wallet")
    if entry.top_up is not None and wallet.auto_top_up is None:
        yield placed.problem(f"{wallet.id} has no auto_top_up", "top_up")
    made = tuple(f"{wallet.id}/{name}/" for name in ("top-up", *(r.id for r in wallet.recurring)))
    if (
        entry.grant is not None
        and (wallet.id, entry.grant) not in grants
        and not entry.grant.startswith(made)
    ):
        yield placed.problem(f"{wallet.id} has no grant called {entry.grant}", "grant")
