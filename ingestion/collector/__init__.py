"""The collector: usage that is pushed to us, kept on disk before it is acknowledged.

Belongs here: the service (`app`, `auth`, `limits`, `metrics`), what each kind of payload becomes
(`events`, `otlp` and `spans`, `litellm_logs`), the spool it is written to, and the dlt source that
drains the spool and the inbox (`drain`, `inbox`). It never opens the warehouse.
"""
