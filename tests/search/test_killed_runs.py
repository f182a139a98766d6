import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("lancedb", reason="needs the extra: pip install 'clip2point[search]'")

SCRIPT = Path(__file__).with_name("killed_runs.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its processes")
def test_runs_that_are_killed_lose_nothing_and_double_nothing_and_end_where_a_whole_one_does(tmp_path):
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(tmp_path), "2"]
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    expected = said["expected"]["entries"]
    assert len(expected) == 35
    shapes = str(tmp_path / "shapes")
    for state in said["held"]:
        entries = state["entries"]
        for number in range(4):
            assert (f"{shapes}/old_{number}.off" in entries) != (f"{shapes}/moved/{number}.off" in entries)
        for number in range(8, 12):
            assert entries[f"{shapes}/old_{number}.off"] == expected[f"{shapes}/old_{number}.off"]
        assert {f"{shapes}/old_4.off", f"{shapes}/old_5.off"} <= entries.keys()
    sizes = [len(state["entries"]) for state in said["held"]]
    assert 12 < sizes[0] < 35
    assert sizes[0] < sizes[2] < 35
    assert said["resumed"] == said["expected"]
    assert [path for path, _ in said["resumed"]["failures"]] == [f"{shapes}/old_7.off"]
