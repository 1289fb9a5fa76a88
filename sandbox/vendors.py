"""Every simulated vendor besides the two that the world is made of (LiteLLM, Bedrock)."""

from collections.abc import Callable

from sandbox.agentforce import Agentforce
from sandbox.anthropic_bill import AnthropicBill
from sandbox.aws_cur import AwsCur
from sandbox.bedrock_control import BedrockControl
from sandbox.databricks import Databricks
from sandbox.helicone import Helicone
from sandbox.langfuse import Langfuse
from sandbox.openai_bill import OpenAIBill
from sandbox.openrouter import OpenRouter
from sandbox.portkey import Portkey
from sandbox.sap_joule import SapJoule
from sandbox.snowflake_cortex import SnowflakeCortex
from sandbox.vendor import Grounds, Vendor

VENDORS: tuple[Callable[[Grounds], Vendor], ...] = (
    Agentforce,
    AnthropicBill,
    AwsCur,
    BedrockControl,
    Databricks,
    Helicone,
    Langfuse,
    OpenAIBill,
    OpenRouter,
    Portkey,
    SapJoule,
    SnowflakeCortex,
)
