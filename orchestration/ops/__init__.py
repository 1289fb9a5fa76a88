"""The operational store: what the warehouse cannot rebuild (promises made, limits, who armed)."""
