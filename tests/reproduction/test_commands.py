"""Commands in processes of their own."""

import os
import signal
import threading

import pytest

from clip2point.core.errors import DataError
from clip2point.reproduction.commands import CommandResult, run_process
from clip2point.reproduction.paper_recipe import paper_recipes
from clip2point.reproduction.planning import RecipePlanner, ReproductionSettings
from clip2point.reproduction.running import run_recipes

pytestmark = pytest.mark.slow


def test_a_failure_has_its_message_and_shows_it(capfd):
    result = run_process(["pretrain", "--out", "nowhere"])
    assert result.status == 2
    assert not result.interrupted
    assert "error: give a RECIPE, or --pairs DIR" in capfd.readouterr().err
    with pytest.raises(DataError, match=r"'clip2point pretrain --out nowhere' failed with status 2: give a RECIPE"):
        result.check()


def test_text_goes_to_stderr_and_json_to_the_result(capfd, tmp_path):
    result = run_process(["--version"])
    assert (result.status, result.output) == (0, "")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("clip2point ")
    result = run_process(["reproduce", "pretrain", "--dry-run", "--root", str(tmp_path), "--json"])
    assert result.json()["recipes"][0]["name"] == "pretrain"
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_reaches_the_command_alone(number):
    before = signal.getsignal(number)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), number))
    timer.start()
    result = run_process(["reproduce", "--json"])
    timer.join()
    assert result.interrupted
    assert signal.getsignal(number) is before


def test_output_that_is_no_json_is_one_error():
    with pytest.raises(DataError, match=r"'clip2point evaluate x' printed no JSON .*: expected the result"):
        CommandResult("clip2point evaluate x", 0, "no json").json()


@pytest.mark.slow
def test_a_recipe_runs_in_processes(root, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    recipes = paper_recipes()
    planner = RecipePlanner(ReproductionSettings(root, tmp_path, weights, quick=True), recipes)
    lines = []
    (state,) = run_recipes(planner, [recipes["pointclip-scanobjectnn-obj-bg"]], runner=run_process, tell=lines.append)
    assert state.state == "done"
    assert lines == [f"$ {state.result.commands[0]}"]
    assert 0 <= state.result.rows[0].accuracy <= 1
