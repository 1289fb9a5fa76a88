"""Every simulated vendor besides the two that the world is made of (LiteLLM, Bedrock)."""

from collections.abc import Callable

from sandbox.databricks import Databricks
from sandbox.vendor import Grounds, Vendor

VENDORS: tuple[Callable[[Grounds], Vendor], ...] = (
    # one a line
    Databricks,
)
