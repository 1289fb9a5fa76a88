"""Which file of `config/` holds what."""

from typing import Any

from ingestion.config_alerts import Alert
from ingestion.config_budgets import Budget
from ingestion.config_imports import Import
from ingestion.config_money import Charge, Commitment, FxRate
from ingestion.config_org import Customer, Entity, Feature, Root
from ingestion.config_outward import Endpoint, Gateway, OverrideRules
from ingestion.config_prices import Contract, Override, SellRule, WhatIf
from ingestion.config_schema import Identity, ModelAlias
from ingestion.config_wallets import Wallet, WalletEntry
from ingestion.systems import Source

# file -> its sections: name of the list and the type of one item.
LISTS: dict[str, dict[str, Any]] = {
    "sources.yaml": {"sources": Source},
    "entities.yaml": {"entities": Entity, "imports": Import},
    "customers.yaml": {"customers": Customer},
    "features.yaml": {"features": Feature},
    "identities.yaml": {"identities": Identity},
    "budgets.yaml": {"budgets": Budget},
    "alerts.yaml": {"alerts": Alert},
    "webhooks.yaml": {"endpoints": Endpoint},
    "enforcement.yaml": {"gateways": Gateway},
    "prices.yaml": {
        "model_aliases": ModelAlias,
        "contracts": Contract,
        "overrides": Override,
        "selling": SellRule,
        "what_if": WhatIf,
    },
    "charges.yaml": {"charges": Charge, "commitments": Commitment},
    "fx.yaml": {"fx_rates": FxRate},
    "wallets.yaml": {"wallets": Wallet},
    "wallet_entries.yaml": {"wallet_entries": WalletEntry},
}
CUSTOMER_FILE: dict[str, Any] = {
    "customers": Customer,
    "budgets": Budget,
    "wallets": Wallet,
    "wallet_entries": WalletEntry,
}
# Sections that are not a list of the above, read apart.
SINGLES: dict[str, dict[str, Any]] = {
    "customers.yaml": {"root": Root},
    "enforcement.yaml": {"exempt_keys": tuple[str, ...], "override": OverrideRules},
    "sources.yaml": {"evidence_order": tuple[str, ...]},
}
