"""What is shipped for Prometheus is accepted by Prometheus itself."""

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)


def promtool(*arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_of_a_scrape_and_its_alerts_are_valid():
    assert "1 rule files found" in promtool("check", "config", "prometheus.yml")


def test_the_alerts_fire_when_they_should():
    assert "SUCCESS" in promtool("test", "rules", "alerts.test.yml")
