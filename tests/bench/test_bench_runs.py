"""`make bench` over few events ends with every figure and its reference; no time is asserted.

B9 runs an installation with its daemon for minutes; its parts are what the passes' tests run.
"""

import json
from pathlib import Path

from bench import __main__ as bench


def test_the_benchmarks_run_and_report_each_figure_with_its_reference(tmp_path: Path) -> None:
    out = tmp_path / "latest.json"
    only = [each for each in bench.ALL if each != "B9"]
    bench.main(["--rows", "5000", "--rounds", "1", "--out", str(out), "--only", *only])
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["rows"] == 5_000
    assert {"measured_at", "machine", "versions", "seconds"} <= report.keys()
    figures = {each["id"]: each for each in report["figures"]}
    assert figures.keys() == {"B1", "B2", "B3", "B4", "B4 dict", "B8", "B10", "B11"}
    for figure in figures.values():
        assert figure["measured"] > 0
        assert figure["reference_measured"] > 0
        assert figure["ratio"] > 0
        assert figure["is_as_expected"] in (True, False)
    pushed = figures["B8"]["details"]
    assert (pushed["events_lost"], pushed["events_doubled"]) == (0, 0)
    told = figures["B11"]["details"]
    assert (told["attempts_recorded"], told["messages_lost"]) == (200, 0)
    priced = figures["B1"]
    assert priced["rows"] == 5_000
    assert priced["peak_mb"] > 0
    counts = priced["details"]["events_by_price_status"]
    # Every way through the pricing is taken, and large prompts reach the higher context tier.
    assert {"priced", "priced_fallback", "reported", "not_charged", "unmatched_model"} <= set(
        counts
    )
    assert sum(counts.values()) == 5_000
    assert priced["details"]["over_200k_input_tokens"] > 25
