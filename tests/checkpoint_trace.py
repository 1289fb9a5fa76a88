"""Which checkpoints a walk came by and how often; which ones the code has at all."""

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def passings(trace: Path) -> dict[str, int]:
    """How often the process that came by a checkpoint most came by it."""
    counted = Counter(trace.read_text(encoding="utf-8").splitlines())
    most: dict[str, int] = {}
    for line, count in counted.items():
        name = line.partition(" ")[2]
        most[name] = max(count, most.get(name, 0))
    return most


def written_in(folders: Iterable[str]) -> set[str]:
    """The names of the checkpoints in the code of these folders."""
    calls = [
        node
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "checkpoint"
    ]
    return {ast.literal_eval(call.args[0]) for call in calls}
