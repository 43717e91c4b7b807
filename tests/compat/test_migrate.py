"""`python -m aiotest_kit migrate`: files found, shown, written; what is left; the exit status."""

import subprocess
import sys
from pathlib import Path

import pytest

from aiotest_kit.__main__ import main

BEFORE = "from aiointercept import aiointercept\n\nx = 1\n"
AFTER = "from aiotest_kit.compat.aiointercept import aiointercept\n\nx = 1\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_dry_run_shows_a_diff(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --write the diff is on stdout, the summary on stderr, and no file is touched."""
    path = put(project, "tests/test_a.py", BEFORE)

    status = main(["migrate", "tests"])

    shown = capsys.readouterr()
    assert 1 == status
    assert shown.out == (
        "--- a/tests/test_a.py\n+++ b/tests/test_a.py\n@@ -1,3 +1,3 @@\n"
        "-from aiointercept import aiointercept\n"
        "+from aiotest_kit.compat.aiointercept import aiointercept\n \n x = 1\n"
    )
    assert "would rewrite 1 import in 1 file; 0 places to look at\n" == shown.err
    assert BEFORE == path.read_text()


def test_write(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --write the files are changed, and a second run finds nothing to do."""
    path = put(project, "tests/test_a.py", BEFORE)
    put(project, "conftest.py", "import os\n")

    assert 0 == main(["migrate", ".", "--write"])
    assert AFTER == path.read_text()
    assert ("", "rewrote 1 import in 1 file; 0 places to look at\n") == capsys.readouterr()

    assert 0 == main(["migrate", "."])
    assert ("", "would rewrite 0 imports in 0 files; 0 places to look at\n") == capsys.readouterr()


@pytest.mark.parametrize(
    ("encoding", "head"),
    [
        pytest.param("utf-8", "", id="utf-8"),
        pytest.param("utf-8-sig", "", id="byte order mark"),
        pytest.param("latin-1", "# -*- coding: latin-1 -*-\n", id="latin-1"),
        pytest.param("utf-8", "\r\n", id="line ends of Windows"),
    ],
)
def test_bytes_around_an_import_stay(project: Path, encoding: str, head: str) -> None:
    """The encoding, the mark at the beginning and the line ends are those of the file."""
    text = f"{head}name = 'é'; {BEFORE}"
    if "\r" in head:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    path = put(project, "test_a.py", text.encode(encoding))

    assert 0 == main(["migrate", "test_a.py", "--write"])

    expected = text.replace("from aiointercept", "from aiotest_kit.compat.aiointercept")
    assert expected.encode(encoding) == path.read_bytes()


def test_diff_without_a_last_line_end(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file without a line end at its end is shown as `diff` and `patch` do it."""
    put(project, "a.py", "import aiointercept")

    main(["migrate", "a.py"])

    assert capsys.readouterr().out.endswith(
        "-import aiointercept\n\\ No newline at end of file\n"
        "+from aiotest_kit.compat import aiointercept\n\\ No newline at end of file\n"
    )


def test_what_is_left_is_told_with_its_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each place to look at has its file and line; the status says that there are some."""
    put(project, "a/broken.py", "def (:\n")
    put(project, "a/nul.py", b"x = 1\0\n")
    put(project, "a/not_utf8.py", b"x = '\xff'\n")
    put(project, "a/odd.py", b"# coding: nothing\n")
    put(project, "b/test_patch.py", "import os\npatch('aiointercept.core.CallbackResult')\n")
    put(project, "pyproject.toml", "[project]\ndependencies = [\n  'aresponses>=3',\n]\n# aioresponses\n")
    put(project, "noxfile.py", "def test(session):\n    session.install('pytest', 'aresponses')\n")
    put(project, "requirements/test.txt", "aioresponses\n")
    put(project, "requirements-dev.txt", "pytest\naiointercept-extra\nnot-aiointercept\naiointercept==1.0\n")

    status = main(["migrate", ".", "--write"])

    lines = capsys.readouterr().err.splitlines()
    assert 1 == status
    assert [line.partition(": ")[0] for line in lines] == [
        "noxfile.py:2",
        "pyproject.toml:3",
        "requirements-dev.txt:4",
        "a/broken.py:1",
        "a/not_utf8.py:1",
        "a/nul.py:1",
        "a/odd.py:1",
        "b/test_patch.py:2",
        "requirements/test.txt:1",
        "rewrote 0 imports in 0 files; 9 places to look at",
    ]
    assert "pyproject.toml:3: aresponses is named; aiotest-kit takes its place" == lines[1]
    assert lines[3].startswith("a/broken.py:1: not understood, and left as it is: ")


def test_file_that_cannot_be_read(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told, and the others are done."""
    (project / "broken.py").symlink_to("nowhere")
    (project / "requirements.txt").symlink_to("nowhere")
    path = put(project, "test_a.py", BEFORE)

    assert 1 == main(["migrate", ".", "--write"])

    assert AFTER == path.read_text()
    assert capsys.readouterr().err.splitlines() == [
        "broken.py:1: cannot be read: No such file or directory",
        "requirements.txt:1: cannot be read: No such file or directory",
        "rewrote 1 import in 1 file; 2 places to look at",
    ]


def test_fixture_of_a_plugin_is_told_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fixture that nobody would provide any more is reported at its first use."""
    put(project, "test_a.py", "def test_a(aiointercept_server, aiointercept_mock): ...\n")
    put(project, "test_b.py", "\ndef test_b(aresponses): ...\ndef test_c(aresponses): ...\n")

    assert 1 == main(["migrate", "."])

    assert capsys.readouterr().err.splitlines()[:-1] == [
        "test_a.py:1: the fixture aiointercept_server came with aiointercept; "
        'write pytest_plugins = ["aiotest_kit.compat.aiointercept"] in the top conftest.py',
        "test_b.py:2: the fixture aresponses came with aresponses; "
        'write pytest_plugins = ["aiotest_kit.compat.aresponses"] in the top conftest.py',
    ]


def test_fixture_that_somebody_provides_is_not_told(project: Path) -> None:
    """A conftest that loads the kit's plugin, or has a fixture of its own, is enough."""
    put(project, "conftest.py", "pytest_plugins = ['aiotest_kit.compat.aresponses']\n")
    put(project, "test_a.py", "def test_a(aresponses): ...\n")

    assert 0 == main(["migrate", "."])


def test_only_the_project_is_searched(project: Path) -> None:
    """Hidden folders, environments, caches and what is installed are passed over; a file named is not."""
    for folder in (".hidden", "venv", "__pycache__", "lib/site-packages", "build"):
        put(project, f"{folder}/a.py", BEFORE)
    put(project, "venv/pyvenv.cfg", "")
    put(project, "notes.md", BEFORE)

    assert 0 == main(["migrate", "."])
    assert 1 == main(["migrate", "venv/a.py"])


def test_project_with_a_module_of_that_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A library's name that is a module of the project is left alone, and told."""
    put(project, "aresponses/__init__.py", "")
    put(project, "aiointercept.py", "")
    path = put(project, "test_a.py", "import aresponses\nimport aiointercept\n")

    assert 1 == main(["migrate", ".", "--write"])

    assert "import aresponses\nimport aiointercept\n" == path.read_text()
    assert capsys.readouterr().err.splitlines()[:2] == [
        "aiointercept: left alone, as a module of that name is in the project",
        "aresponses: left alone, as a module of that name is in the project",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([], "the following arguments are required: command", id="nothing"),
        pytest.param(["nothing"], "argument command: invalid choice: 'nothing'", id="no command"),
        pytest.param(["migrate"], "the following arguments are required: path", id="no path"),
        pytest.param(["migrate", "missing"], "missing does not exist", id="no such path"),
    ],
)
def test_wrong_arguments(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """Wrong arguments are told, and the status is 2."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)

    assert 2 == exit_.value.code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["migrate", "--help"]], ids=" ".join)
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Help names the command, and ends well."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)

    assert 0 == exit_.value.code
    assert "migrate" in capsys.readouterr().out


def test_command_line(project: Path) -> None:
    """Run as a program, the arguments are those of the command line, and the status is the program's."""
    put(project, "test_a.py", BEFORE)

    done = subprocess.run(
        [sys.executable, "-m", "aiotest_kit", "migrate", "."], capture_output=True, text=True
    )

    assert 1 == done.returncode
    assert "would rewrite 1 import in 1 file" in done.stderr
