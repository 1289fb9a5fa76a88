"""The raw tables of what was pushed."""

from ingestion.collector.events import EVENTS, INBOX_EVENTS
from ingestion.collector.litellm_logs import LITELLM_LOGS
from ingestion.collector.spans import SPANS

# In the spool an entry's kind is the resource it becomes.
SPOOLED = (EVENTS, SPANS, LITELLM_LOGS)
CONTRACTS = (*SPOOLED, INBOX_EVENTS)
