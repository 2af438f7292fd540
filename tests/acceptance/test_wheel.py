"""What is installed elsewhere is whole: grammar, migrations and shipped rules travel in the wheel."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parent.parent.parent


def test_the_wheel_runs_from_an_empty_folder(tmp_path):
    build = "import hatchling.build as b, sys; print(b.build_wheel(sys.argv[1]))"
    made = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    wheel = tmp_path / made.stdout.split()[-1]
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    empty = tmp_path / "empty"
    empty.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("OIBOT_")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            cwd=empty,
            env={**env, "PYTHONPATH": str(site), "HOME": str(empty)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert {
        "bot/shipped/default.yaml",
        "bot/shipped/rules.schema.json",
        "bot/shipped/destinations.schema.json",
        "bot/shipped/rule-tests.schema.json",
        "bot/shipped/tests/oi_surge.yaml",
        "bot/rules/codes.toml",
        "bot/charts/fonts/NotoSansSC-GB2312.otf",
        "bot/charts/fonts/OFL.txt",
        "bot/web/static/LICENSES.txt",
        "bot/web/static/app.js",
        "bot/web/templates/now.html",
    } <= set(names)
    assert not any(n.startswith("tests/") for n in names)
    linted = run("lint", str(site / "bot" / "shipped"))
    assert (linted.returncode, linted.stdout.strip()) == (0, "11 rules, 0 errors, 0 warnings"), linted.stderr
    tested = run("test", str(site / "bot" / "shipped" / "tests"), "-k", "oi_surge fires")
    assert (tested.returncode, "1 passed" in tested.stdout) == (0, True), tested.stdout + tested.stderr
    assert run("explain", "E204").stdout.startswith("E204: ")
    demo = run("demo", "--for", "6s", "--instruments", "20")
    assert demo.returncode == 0, demo.stdout + demo.stderr
