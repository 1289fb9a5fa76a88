"""Every simulated vendor besides the two that the world is made of (LiteLLM, Bedrock)."""

from collections.abc import Callable

from sandbox.anthropic_bill import AnthropicBill
from sandbox.aws_cur import AwsCur
from sandbox.openai_bill import OpenAIBill
from sandbox.vendor import Grounds, Vendor

VENDORS: tuple[Callable[[Grounds], Vendor], ...] = (
    AnthropicBill,
    AwsCur,
    OpenAIBill,
)
