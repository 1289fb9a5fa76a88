"""The columns of Snowflake's usage views and their types, as documented; also of views that repeat
what others hold, which an account has as well."""

Columns = dict[str, str]


def _columns(text: str) -> Columns:
    """`NAME type` pairs, separated by commas."""
    pairs = (part.split() for part in text.replace("\n", " ").split(",") if part.strip())
    return {name: type for name, type in pairs}


_WHO = "USER_ID integer, USER_NAME text, USER_TAGS variant,"
_GRANULAR = """TOKEN_CREDITS number, TOKENS integer, TOKENS_GRANULAR variant,
    CREDITS_GRANULAR variant, METADATA variant,"""
_AGENT = f"""START_TIME time, END_TIME time, {_WHO} REQUEST_ID text, PARENT_REQUEST_ID text,
    AGENT_DATABASE_ID integer, AGENT_DATABASE_NAME text, AGENT_SCHEMA_ID integer,
    AGENT_SCHEMA_NAME text, AGENT_ID integer, AGENT_NAME text, AGENT_TAGS variant, {_GRANULAR}"""
_COWORK = f"{_AGENT} SNOWFLAKE_INTELLIGENCE_ID integer, SNOWFLAKE_INTELLIGENCE_NAME text"
_CODE = f"{_WHO} REQUEST_ID text, PARENT_REQUEST_ID text, USAGE_TIME time, {_GRANULAR}"
_FUNCTIONS = """START_TIME time, END_TIME time, FUNCTION_NAME text, MODEL_NAME text,
    WAREHOUSE_ID integer,"""

COLUMNS: dict[str, Columns] = {
    name: _columns(text)
    for name, text in {
        "ACCOUNT_USAGE.CORTEX_AI_FUNCTIONS_USAGE_HISTORY": f"""{_FUNCTIONS} QUERY_ID text,
            ROLE_NAMES variant, QUERY_TAG text, USER_ID text, METRICS variant, CREDITS number,
            IS_COMPLETED boolean""",
        "ACCOUNT_USAGE.CORTEX_AISQL_USAGE_HISTORY": f"""{_FUNCTIONS} QUERY_ID text, USER_ID text,
            TOKENS integer, TOKEN_CREDITS number""",
        "ACCOUNT_USAGE.CORTEX_FUNCTIONS_USAGE_HISTORY": f"""{_FUNCTIONS} TOKENS integer,
            TOKEN_CREDITS number""",
        "ACCOUNT_USAGE.CORTEX_AGENT_USAGE_HISTORY": _AGENT,
        "ACCOUNT_USAGE.SNOWFLAKE_COWORK_USAGE_HISTORY": _COWORK,
        "ACCOUNT_USAGE.SNOWFLAKE_INTELLIGENCE_USAGE_HISTORY": _COWORK,
        "ACCOUNT_USAGE.CORTEX_REST_API_USAGE_HISTORY": """START_TIME time, END_TIME time,
            REQUEST_ID text, MODEL_NAME text, TOKENS integer, TOKENS_GRANULAR variant,
            USER_ID text, INFERENCE_REGION text""",
        "ACCOUNT_USAGE.AI_GATEWAY_USAGE_HISTORY": """START_TIME time, REQUEST_ID text,
            GATEWAY_NAME text, GATEWAY_ID text, USER_ID text, SERVICE_TYPE text,
            OPERATION_DETAILS variant, CREDITS number, CREDITS_GRANULAR variant,
            METADATA variant""",
        "ACCOUNT_USAGE.SNOWFLAKE_COCO_USAGE_HISTORY": f"{_CODE} INTERFACE text",
        "ACCOUNT_USAGE.CORTEX_CODE_CLI_USAGE_HISTORY": _CODE,
        "ACCOUNT_USAGE.CORTEX_CODE_SNOWSIGHT_USAGE_HISTORY": _CODE,
        "ACCOUNT_USAGE.CORTEX_AI_GUARDRAILS_USAGE_HISTORY": f"""{_CODE} AGENTIC_SOURCE text,
            GUARDRAILS_SIGNAL boolean, GUARDRAIL_RESULTS variant""",
        "ACCOUNT_USAGE.CORTEX_ANALYST_USAGE_HISTORY": """START_TIME time, END_TIME time,
            REQUEST_COUNT integer, CREDITS number, USERNAME text""",
        "ACCOUNT_USAGE.CORTEX_FINE_TUNING_USAGE_HISTORY": """START_TIME time, END_TIME time,
            WAREHOUSE_ID integer, MODEL_NAME text, TOKEN_CREDITS number, TOKENS integer""",
        "ACCOUNT_USAGE.CORTEX_PROVISIONED_THROUGHPUT_USAGE_HISTORY": """
            PROVISIONED_THROUGHPUT_ID text, INTERVAL_START_TIME time, INTERVAL_END_TIME time,
            CLOUD_SERVICE_PROVIDER text, MODEL_NAME text, TERM_START_DATE date,
            TERM_END_DATE date, PTU_COUNT integer, PTU_CREDITS number""",
        "ACCOUNT_USAGE.CORTEX_SEARCH_DAILY_USAGE_HISTORY": """USAGE_DATE date, DATABASE_NAME text,
            SCHEMA_NAME text, SERVICE_NAME text, SERVICE_ID integer, CONSUMPTION_TYPE text,
            CREDITS number, MODEL_NAME text, TOKENS integer""",
        "ACCOUNT_USAGE.CORTEX_SEARCH_SERVING_USAGE_HISTORY": """START_TIME time, END_TIME time,
            DATABASE_NAME text, SCHEMA_NAME text, SERVICE_NAME text, SERVICE_ID integer,
            CREDITS number""",
        "ACCOUNT_USAGE.METERING_DAILY_HISTORY": """SERVICE_TYPE text, USAGE_DATE date,
            CREDITS_USED_COMPUTE number, CREDITS_USED_CLOUD_SERVICES number, CREDITS_USED number,
            CREDITS_ADJUSTMENT_CLOUD_SERVICES number, CREDITS_BILLED number""",
        "ORGANIZATION_USAGE.RATE_SHEET_DAILY": """DATE date, ORGANIZATION_NAME text,
            CONTRACT_NUMBER text, ACCOUNT_NAME text, ACCOUNT_LOCATOR text, REGION text,
            SERVICE_LEVEL text, USAGE_TYPE text, CURRENCY text, EFFECTIVE_RATE number,
            RATING_TYPE text, SERVICE_TYPE text, IS_ADJUSTMENT boolean, BILLING_TYPE text""",
        "ACCOUNT_USAGE.USERS": """USER_ID integer, NAME text, LOGIN_NAME text, DISPLAY_NAME text,
            EMAIL text, COMMENT text""",
    }.items()
}
