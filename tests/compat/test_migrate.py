"""`python -m aiotest_kit migrate`: files found, shown, written; what is left; the exit status."""

import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from aiotest_kit.__main__ import main
from aiotest_kit._cli.minimums import MINIMUMS

NOTE = "aiotest-kit requires aiohttp>=3.10.11, pytest>=8.2, pytest-aiohttp>=1.0.5, pytest-asyncio>=0.24"
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
    put(project, "a/broken.py", "def aresponses(:\n")
    put(project, "a/nul.py", b"aresponses = 1\0\n")
    put(project, "a/not_utf8.py", b"aresponses = '\xff'\n")
    put(project, "a/odd.py", b"# coding: nothing\nimport aresponses\n")
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
        NOTE,
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


IN_MYPY = "aioresponses is named in the settings of mypy; aiotest_kit.compat is typed and needs no exception"
NAMED = {
    "requirements": (
        "requirements/test.txt",
        "aioresponses==0.7.9 \\\n    --hash=sha256:00\n",
        ["1: aioresponses is named; aiotest-kit takes its place"],
    ),
    "two in a line": (
        "pyproject.toml",
        '[dependency-groups]\ntest = ["aioresponses", "pytest_aioresponses", "aiohttp<3.14"]\n',
        ["2: aioresponses and pytest-aioresponses are named; aiotest-kit takes their place"],
    ),
    "settings of mypy and of a tool beside requirements": (
        "pyproject.toml",
        '[[tool.mypy.overrides]]\nmodule = "aioresponses.*"\n[tool.ruff.lint.isort]\n'
        'known-third-party = ["aresponses"]\n[tool.poetry.group.dev.dependencies]\naiointercept = "^1"\n',
        [
            f"2: {IN_MYPY}",
            "4: aresponses is named in the settings of a tool; the imports are from aiotest_kit.compat now",
            "6: aiointercept is named; aiotest-kit takes its place",
        ],
    ),
    "sections of setup.cfg": (
        "setup.cfg",
        "[options.extras_require]\ntests =\n    aioresponses\n[mypy-aioresponses.*]\n[tool:pytest]\n"
        "addopts = -p aiointercept\n",
        [
            "3: aioresponses is named; aiotest-kit takes its place",
            f"4: {IN_MYPY}",
            "6: aiointercept is named in the settings of a tool; the imports are from aiotest_kit.compat now",
        ],
    ),
    "settings of mypy": (
        "mypy.ini",
        "[mypy-aioresponses.*]\nignore_missing_imports = True\n",
        [f"1: {IN_MYPY}"],
    ),
    "settings of a tool": (
        ".isort.cfg",
        "[settings]\nknown_third_party = aioresponses\n",
        ["2: aioresponses is named in the settings of a tool; the imports are from aiotest_kit.compat now"],
    ),
    "a workflow of GitHub": (
        ".github/workflows/ci.yml",
        "steps:\n  # aioresponses\n  - run: pip install pytest aioresponses\n",
        ["3: aioresponses is named in a workflow; install aiotest-kit in its place"],
    ),
    "a workflow of GitLab": (
        ".gitlab-ci.yml",
        "test:\n  script: [pip install aresponses]\n",
        ["2: aresponses is named in a workflow; install aiotest-kit in its place"],
    ),
    "pre-commit": (
        ".pre-commit-config.yaml",
        "additional_dependencies: [aioresponses]\n",
        ["1: aioresponses is named for a pre-commit hook; install aiotest-kit in its place"],
    ),
    "an image": (
        "docker/Dockerfile.test",
        "FROM python\nRUN pip install aioresponses\n",
        ["2: aioresponses is named for an image; install aiotest-kit in its place"],
    ),
    "a script": (
        "Makefile",
        "test:\n\tpip install aioresponses\n",
        ["2: aioresponses is named in a script; install aiotest-kit in its place"],
    ),
    "a lock file": (
        "uv.lock",
        'name = "aioresponses"\nname = "aioresponses"\n',
        ["1: aioresponses is locked; lock again when aiotest-kit has taken its place"],
    ),
    "a page": (
        "docs/testing.md",
        "# aioresponses\n\n```python\nfrom aioresponses import aioresponses\n```\n",
        ["1: aioresponses is named on this page; its examples should import from aiotest_kit.compat"],
    ),
    "a page on the past": ("CHANGELOG.md", "- Tests use aioresponses.\n", []),
    "a page that is right": (
        "README.rst",
        "from aiotest_kit.compat.aioresponses import aioresponses\n\nwith aioresponses() as m: ...\n",
        [],
    ),
    "a requirement and a setting in Python": (
        "setup.py",
        "setup(\n  tests_require=['aioresponses>=0.7'],\n  extras_require={'x': ['aresponses']},\n)\n",
        [
            "2: 'aioresponses>=0.7' is a requirement; aiotest-kit takes its place",
            "3: aresponses is named; aiotest-kit takes its place",
        ],
    ),
}


@pytest.mark.parametrize(("name", "text", "said"), NAMED.values(), ids=NAMED)
def test_a_library_that_is_named(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, said: list[str]
) -> None:
    """Each place is told once, in words for what it is."""
    put(project, name, text)

    status = main(["migrate", "."])

    lines = [line for line in capsys.readouterr().err.splitlines()[:-1] if line != NOTE]
    assert [f"{name}:{each}" for each in said] == lines
    assert status == (1 if said else 0)


def test_files_that_need_no_change_may_be_anything(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What names no library is not parsed: newer syntax, other encodings, doubtful escapes are no matter."""
    put(project, "newer.py", "try: ...\nexcept OSError, ValueError: ...\n")
    put(project, "nul.py", b"x = 1\0\n")
    put(project, "not_utf8.py", b"x = '\xff'\n")
    put(project, "odd.py", b"# coding: nothing\n")
    put(project, "doubtful.py", 'x = "\\s"  # aresponses\n')

    assert 0 == main(["migrate", "."])

    assert ("", "would rewrite 0 imports in 0 files; 0 places to look at\n") == capfd.readouterr()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "pytest==7.4.3", "pytest==7.4.3 is too old; aiotest-kit requires pytest>=8.2", id="exact"
        ),
        pytest.param("pytest>=7,<8", "pytest>=7,<8 is too old; aiotest-kit requires pytest>=8.2", id="below"),
        pytest.param(
            "pytest <= 8.1", "pytest<= 8.1 is too old; aiotest-kit requires pytest>=8.2", id="at most"
        ),
        pytest.param("pytest<8.2.0", "pytest<8.2.0 is too old; aiotest-kit requires pytest>=8.2", id="zeros"),
        pytest.param(
            "pytest==7.*", "pytest==7.* is too old; aiotest-kit requires pytest>=8.2", id="wildcard"
        ),
        pytest.param(
            "Pytest_Asyncio[docs]~=0.21.1",
            "pytest-asyncio~=0.21.1 is too old; aiotest-kit requires pytest-asyncio>=0.24",
            id="compatible",
        ),
        pytest.param(
            'pytest-asyncio = "^0.23"',
            "pytest-asyncio^0.23 is too old; aiotest-kit requires pytest-asyncio>=0.24",
            id="caret",
        ),
        pytest.param(
            'pytest = {version = "~7.4", extras = ["x"]}',
            "pytest~7.4 is too old; aiotest-kit requires pytest>=8.2",
            id="tilde",
        ),
        pytest.param(
            "aiohttp=3.9", "aiohttp=3.9 is too old; aiotest-kit requires aiohttp>=3.10.11", id="conda"
        ),
        *[
            pytest.param(text, None, id=text)
            for text in (
                "pytest",
                "pytest>=7",
                "pytest!=8.0",
                "pytest==8.2",
                "pytest==8.*",
                "pytest<9",
                "pytest~=8.0",
                'pytest = "^8.0"',
                'pytest = "*"',
                "pytest-cov==4",
                "aiohttp<3.14",
                "pytest aiohttp # pytest==7",
            )
        ],
    ],
)
def test_requirements_that_come_along(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, said: str | None
) -> None:
    """What aiotest-kit requires is told, and each requirement that contradicts it, in whatever spelling."""
    put(project, "requirements.txt", f"{text}\naioresponses\n")

    main(["migrate", "."])

    lines = capsys.readouterr().err.splitlines()
    named = "requirements.txt:2: aioresponses is named; aiotest-kit takes its place"
    assert [named, *([f"requirements.txt:1: {said}"] if said else []), NOTE] == lines[:-1]


def test_old_requirements_of_others_are_no_matter(project: Path) -> None:
    """A project that does not move may require what it likes."""
    put(project, "requirements.txt", "pytest==7.4\n")

    assert 0 == main(["migrate", "."])


def test_requirements_are_those_of_the_kit() -> None:
    """What the command says is what the package asks for."""
    required = {
        requirement.name: str(requirement.specifier).removeprefix(">=")
        for requirement in map(Requirement, requires("aiotest-kit") or ())
    }

    assert MINIMUMS.items() <= required.items()


def test_fixture_of_a_plugin_is_told_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fixture that nobody would provide any more is reported at its first use."""
    put(project, "test_a.py", "def test_a(aiointercept_server, aiointercept_mock): ...\n")
    put(project, "test_b.py", "\ndef test_b(aresponses): ...\ndef test_c(aresponses): ...\n")
    put(project, "test_c.py", "async def test_d(aioresponses): ...\n")

    assert 1 == main(["migrate", "."])

    assert capsys.readouterr().err.splitlines()[:-1] == [
        "test_a.py:1: the fixture aiointercept_server came with aiointercept; "
        'write pytest_plugins = ["aiotest_kit.compat.aiointercept"] in the top conftest.py',
        "test_b.py:2: the fixture aresponses came with aresponses; "
        'write pytest_plugins = ["aiotest_kit.compat.aresponses"] in the top conftest.py',
        "test_c.py:1: the fixture aioresponses came with pytest-aioresponses; "
        'write pytest_plugins = ["aiotest_kit.compat.aioresponses"] in the top conftest.py',
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
    put(project, "notes", BEFORE)
    put(project, "cassettes/a.yaml", "aioresponses")

    assert 0 == main(["migrate", "."])
    assert 1 == main(["migrate", "venv/a.py"])
    assert 1 == main(["migrate", "notes"])


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
