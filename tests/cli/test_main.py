import subprocess
import sys

import pytest

from clip2point.cli.main import build_parser, main
from clip2point.core.registries import COMMANDS

COUNT = """
import sys


def add_parser(commands):
    parser = commands.add_parser("count", help="count files")
    parser.add_argument("files", nargs="+")
    parser.set_defaults(run=run)


def run(arguments):
    print(f"{len(arguments.files)} files")
    return 0
"""


def test_one_command_is_built_without_the_modules_of_others():
    code = "import sys; from clip2point.cli.main import main; main(['render', '--help'])"
    checked = f"try:\n    {code.replace('; ', chr(10) + '    ')}\nexcept SystemExit:\n    pass\n"
    checked += "print(sorted(name for name in sys.modules if name in ('torch', 'numpy', 'clip2point.cli.adapt')))"
    done = subprocess.run([sys.executable, "-c", checked], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    assert "usage: clip2point render" in done.stdout


@pytest.mark.parametrize("name", COMMANDS.built_in)
def test_each_command_is_the_same_alone_and_among_all(name):
    helps = [build_parser(only)._subparsers._group_actions[0].choices[name].format_help() for only in (name, None)]
    assert helps[0] == helps[1]


def test_a_package_adds_a_command(plugins, capsys):
    plugins.install(COUNT, "[clip2point.commands]\ncount = MODULE:add_parser\n")
    assert main(["count", "a", "b"]) == 0
    assert capsys.readouterr().out == "2 files\n"
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "count files" in capsys.readouterr().out


def test_a_broken_command_stops_no_other(plugins, capsys):
    plugins.install("import nothing_like_it", "[clip2point.commands]\ncount = MODULE:add_parser\n", package="counting")
    assert main(["count", "a"]) == 2
    message = "the command 'count' of the package counting 1.2"
    assert f"error: {message}" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    captured = capsys.readouterr()
    assert f"warning: {message}" in captured.err
    assert "classify" in captured.out


def test_a_command_has_to_say_what_it_runs(plugins, capsys):
    source = "def add_parser(commands):\n    commands.add_parser('count')\n"
    plugins.install(source, "[clip2point.commands]\ncount = MODULE:add_parser\n")
    assert main(["count"]) == 2
    assert "the command 'count' adds no parser of that name with a function 'run'" in capsys.readouterr().err


def test_unknown_commands_are_answered_with_all(plugins, capsys):
    plugins.install(COUNT, "[clip2point.commands]\ncount = MODULE:add_parser\n")
    with pytest.raises(SystemExit) as ended:
        main(["cuont"])
    assert ended.value.code == 2
    assert "count" in capsys.readouterr().err
