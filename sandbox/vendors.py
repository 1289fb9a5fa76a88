"""Every simulated vendor besides the two that the world is made of (LiteLLM, Bedrock)."""

from collections.abc import Callable

from sandbox.bedrock_control import BedrockControl
from sandbox.helicone import Helicone
from sandbox.langfuse import Langfuse
from sandbox.openrouter import OpenRouter
from sandbox.portkey import Portkey
from sandbox.snowflake_cortex import SnowflakeCortex
from sandbox.agentforce import Agentforce
from sandbox.sap_joule import SapJoule
from sandbox.vendor import Grounds, Vendor

VENDORS: tuple[Callable[[Grounds], Vendor], ...] = (
    # one a line
    BedrockControl,
    Helicone,
    Portkey,
    OpenRouter,
    SnowflakeCortex,
    Langfuse,
    Agentforce,
    SapJoule,
)
