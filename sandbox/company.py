"""The demo company: who calls models, for whom, with which keys and how often.

Only facts of the simulated company. Its configuration (owner tree, budgets) is the user's and lives
in config/; the two agree because both use these ids.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
BUCKET = "acme-bedrock-logs"
KEY_PREFIX = "bedrock"
CUR_BUCKET = "acme-cost-exports"
CUR_PREFIX = "cur"
CUR_EXPORT = "acme-cur2"

FEATURES = ("search", "chat", "summarise", "extract", "agents")
CUSTOMERS = (
    "northwind", "contoso", "fabrikam", "globex", "initech", "umbra", "hooli", "stark",
)  # fmt: skip
# In no configuration on purpose: what nobody has declared must end as unattributed, not vanish.
UNKNOWN_TEAM = "team-contractors"
UNKNOWN_CUSTOMER = "acquired-co"
UNKNOWN_MODEL = "acme-internal-7b"

HEDY_MOVED_AT = datetime(2026, 11, 2, tzinfo=UTC)
HEDY_OLD_TEAM = "team-search"


@dataclass(frozen=True)
class Team:
    """One team: its members' first names and its share of the company's calls."""

    team_id: str
    alias: str
    members: tuple[str, ...]
    weight: int


@dataclass(frozen=True)
class Agent:
    """One agent: its team and its share of the agents' calls."""

    agent_id: str
    team_id: str
    weight: int

    @property
    def key_alias(self) -> str:
        """The alias of the agent's own key."""
        return f"agent-{self.agent_id}-key"


@dataclass(frozen=True)
class Key:
    """One LiteLLM key; the raw secret is a test secret and derived from the alias."""

    alias: str
    team_id: str

    @property
    def raw(self) -> str:
        """The secret a client sends."""
        return f"sk-sandbox-{self.alias}"

    @property
    def hashed(self) -> str:
        """What LiteLLM stores and reports instead of the secret."""
        return hash_key(self.raw)


def hash_key(raw: str) -> str:
    """The SHA-256 hex LiteLLM keeps of a raw key."""
    return hashlib.sha256(raw.encode()).hexdigest()


TEAMS = (
    Team("team-search", "Search", ("ada", "alan", "barbara", "claude", "dennis"), 20),
    Team("team-assist", "Assist", ("donald", "edsger", "frances", "grace", "hedy"), 26),
    Team("team-platform", "Platform", ("john", "joan", "katherine", "ken", "leslie"), 18),
    Team("team-support", "Support", ("linus", "lynn", "margaret", "mary", "niklaus"), 16),
    Team("team-sales", "Sales", ("radia", "ritchie", "rosa", "shafi", "stephanie"), 9),
    Team("team-data", "Data", ("sophie", "susan", "tim", "vint", "whitfield"), 11),
)
AGENTS = (
    Agent("triage", "team-support", 40),
    Agent("researcher", "team-search", 25),
    Agent("coder", "team-platform", 20),
    Agent("outreach", "team-sales", 15),
)
KEYS = (
    Key("search-prod", "team-search"),
    Key("search-batch", "team-search"),
    Key("assist-prod", "team-assist"),
    Key("platform-prod", "team-platform"),
    Key("platform-ci", "team-platform"),
    Key("support-prod", "team-support"),
    Key("sales-prod", "team-sales"),
    Key("data-prod", "team-data"),
    Key("contractors-prod", UNKNOWN_TEAM),
    *(Key(agent.key_alias, agent.team_id) for agent in AGENTS),
)
TEAM_ALIASES = {**{team.team_id: team.alias for team in TEAMS}, UNKNOWN_TEAM: "Contractors"}


def email_of(first_name: str) -> str:
    """The e-mail address a member calls with."""
    return f"{first_name}@acme.example"


def key_by_alias(alias: str) -> Key:
    """The key of that alias; an unknown alias is a mistake of the caller."""
    for key in KEYS:
        if key.alias == alias:
            return key
    raise KeyError(f"no key with alias {alias!r} in the sandbox company")


def agent_by_id(agent_id: str) -> Agent:
    """The agent of that id; an unknown id is a mistake of the caller."""
    for agent in AGENTS:
        if agent.agent_id == agent_id:
            return agent
    raise KeyError(f"no agent {agent_id!r} in the sandbox company")
