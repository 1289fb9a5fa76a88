"""The outbound half of a pass, in processes that a test may kill: evaluate, dispatch, reconcile.

Started once; for each JSON line on its input it forks a child that walks the whole road from the
start (what is done already must change nothing) and answers with the child's exit status.
"""

import json
import os
import random
import sys
from typing import Any

from budget_readings import AS_OF, budget, reading
from gateway_server import ADMIN_KEY
from governance_mutants import MUTANTS
from ops_stores import ENVIRON, endpoint

from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.enforcement.reconcile import reconcile
from orchestration.enforcement.rules import Rules
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.governance.webhooks import dispatch
from orchestration.ops.lease import holder_name
from orchestration.ops.people import arm
from orchestration.ops.store import open_store

USED = ("10", "1000", "1000", "300")  # by snapshot: nothing, breach, the same, recovery


def walk(task: dict[str, Any]) -> None:
    """Four snapshots, each evaluated, delivered and enforced."""
    engine = open_store(task["ops_url"])
    afterwards = MUTANTS[task["mutant"]]() if task.get("mutant") else None
    sync_endpoints(engine, [endpoint()])
    arm(engine, "litellm-main", by="ada", now=AS_OF)
    client = LiteLLMGateway(task["gateway_url"], admin_key=ADMIN_KEY, changed_by="meterhouse")
    for snapshot, used in enumerate(USED, start=1):
        evaluate(engine, reading=reading(snapshot, budget(used)))
        if afterwards:
            afterwards(engine)
        for _ in range(2):  # what the reconciler has to tell goes out with the second
            dispatch(
                engine,
                now=lambda: AS_OF,
                environ={**ENVIRON, "HOOK_URL": task["receiver_url"]},
                limit=100,
                worker=holder_name(),
                jitter=random.Random(7),
            )
            reconcile(
                engine,
                gateways={"litellm-main": client},
                now=lambda: AS_OF,
                by="test",
                rules=Rules(),
            )
            if afterwards:
                afterwards(engine)
    client.close()
    engine.dispose()


def main() -> None:
    """Answers one status a line until the input ends."""
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ["METERHOUSE_CRASH_AT"] = task["crash_at"]
            os.environ["METERHOUSE_CHECKPOINTS_TO"] = task["trace"]
            walk(task)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
