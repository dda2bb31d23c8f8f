"""The wheel, installed where nothing else is: it starts, answers, and has its themes inside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.program import ROOT, clean_environment
from tui_chat import __version__

pytestmark = pytest.mark.packaging


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """stdout of a command that has to succeed."""
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("packaging")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", ROOT, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    programs = folder / "venv" / "bin"
    run(programs / "python", "-m", "pip", "install", "--disable-pip-version-check", "--quiet", wheel, cwd=folder)
    return programs


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty home, from which no path leads to the checkout."""
    env = clean_environment(tmp_path)
    del env["PYTHONPATH"]
    return env


def test_it_answers(installed: Path, elsewhere: dict[str, str], tmp_path: Path) -> None:
    answer = run(installed / "tui-chat", "--demo", "ask", "hello", cwd=tmp_path, env=elsewhere)
    assert "demo" in answer


def test_it_knows_its_version(installed: Path, elsewhere: dict[str, str], tmp_path: Path) -> None:
    assert __version__ in run(installed / "python", "-m", "tui_chat", "--version", cwd=tmp_path, env=elsewhere)


def test_its_themes_styles_and_catalog_are_inside(installed: Path, elsewhere: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import tui_chat.store.paths as p; from pathlib import Path; "
        "print(*sorted(f.relative_to(p.PACKAGE) for f in p.PACKAGE.rglob('*') if f.suffix in ('.toml', '.tcss')), "
        "p.shipped_themes(), sep='\\n')"
    )
    *found, themes = run(installed / "python", "-c", script, cwd=tmp_path, env=elsewhere).splitlines()
    of_checkout = [
        *(f"themes/{path.name}" for path in (ROOT / "themes").glob("*.toml")),
        *(str(path.relative_to(ROOT / "tui_chat")) for path in (ROOT / "tui_chat").rglob("*.t*ml")),
        *(str(path.relative_to(ROOT / "tui_chat")) for path in (ROOT / "tui_chat").rglob("*.tcss")),
    ]
    assert found == sorted(of_checkout)
    assert not Path(themes).is_relative_to(ROOT)
    assert list(Path(themes).glob("*.toml"))


def test_its_man_page_stands_where_man_looks(installed: Path) -> None:
    page = installed.parent / "share" / "man" / "man1" / "tui-chat.1"
    assert page.read_text("utf-8") == (ROOT / "docs" / "tui-chat.1").read_text("utf-8")
