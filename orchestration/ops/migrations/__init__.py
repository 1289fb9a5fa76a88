"""Dated changes to the shape of the operational store, applied by `open_store`."""
