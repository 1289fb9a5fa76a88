"""Room 1: brings usage in, unchanged. Knows dlt and HTTP; never Dagster, never cost."""
