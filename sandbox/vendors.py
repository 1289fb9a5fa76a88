"""Every simulated vendor besides the two that the world is made of (LiteLLM, Bedrock)."""

from collections.abc import Callable

from sandbox.agentforce import Agentforce
from sandbox.sap_joule import SapJoule
from sandbox.vendor import Grounds, Vendor

VENDORS: tuple[Callable[[Grounds], Vendor], ...] = (
    # one a line
    Agentforce,
    SapJoule,
)
