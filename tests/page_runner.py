"""Pages of documentation: their code, and how it is run in the order in which it stands there."""

import re
import shlex

from clip2point.cli.main import main
from clip2point_shapes.command import main as shapes_main

_PROGRAMS = {"clip2point": main, "clip2point-shapes": shapes_main}
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands_of(text):
    """All commands of a page as words: of the blocks that are run, and of those that are only shown."""
    shown = [line.removeprefix("$ ") for block in _CONSOLE.findall(text) for line in block.splitlines()]
    run = [line for language, block in _BLOCK.findall(text) if language == "sh" for line in block.splitlines()]
    return [words for line in (*run, *shown) if (words := shlex.split(line, comments=True))]


def run_page(text, name, capsys):
    """Run all blocks of a page one after the other; the Python ones share their variables.

    Returns:
        The numbers of commands and of blocks of Python.
    """
    variables, commands, pieces = {}, 0, 0
    for language, code in _BLOCK.findall(text):
        if language == "python":
            exec(compile(code, name, "exec"), variables)
            pieces += 1
            continue
        for line in code.splitlines():
            program, *arguments = shlex.split(line)
            capsys.readouterr()
            assert _PROGRAMS[program](arguments) == 0, line
            assert any(capsys.readouterr()), line
            commands += 1
    return commands, pieces
