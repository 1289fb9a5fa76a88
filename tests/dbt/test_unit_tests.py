"""Every dbt unit test holds; passes leave them out, since they say nothing about the data."""

import json
import os
import subprocess
import sys
from pathlib import Path

from platform_home import ROOT, Platform

PROJECT = ROOT / "dbt_project"


def test_every_unit_test_of_the_models_holds(platform: Platform) -> None:
    target = platform.home / "dbt" / "target"
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "test"]
    command += ["--select", "test_type:unit"]
    for option, value in (
        ("--project-dir", PROJECT),
        ("--profiles-dir", PROJECT),
        ("--target-path", target),
        ("--log-path", platform.home / "dbt" / "logs"),
    ):
        command += [option, str(value)]
    environment = os.environ | {"METERHOUSE_HOME": str(platform.home), "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    assert {each["unique_id"] for each in results} == set(manifest["unit_tests"])
    assert manifest["unit_tests"]
