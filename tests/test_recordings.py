"""Nothing is left out in silence: real data is part of the project, and a test is skipped for few reasons only."""

import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
SKIPPED = """
import pytest

def test_that_gives_up():
    pytest.skip("this data is not here")

@pytest.mark.slow
def test_of_the_big_files(shared_data):
    assert shared_data.is_dir()

def test_of_the_big_files_that_is_not_slow(shared_data):
    assert shared_data.is_dir()

def test_of_the_kafka_server():
    pytest.skip("java is not installed: the Kafka tests run against a real Apache Kafka")
"""


def test_a_test_may_be_skipped_for_a_missing_program_and_for_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "clone" / "tests"
    folder.mkdir(parents=True)
    shutil.copy(TESTS / "conftest.py", folder)
    (folder / "test_some.py").write_text(SKIPPED)
    (folder / "test_whole.py").write_text("import pytest\n\npytest.importorskip('no_such_library')\n")
    (tmp_path / "clone" / "pytest.ini").write_text("[pytest]\nmarkers = slow: long\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--continue-on-collection-errors", str(folder)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout
    assert "1 failed, 2 skipped, 2 errors" in run.stdout
    assert "no test may be for this reason: this data is not here" in run.stdout
    assert "test_whole.py is skipped whole" in run.stdout


def test_recordings_are_small_and_each_says_where_it_is_from() -> None:
    folder = TESTS / "recordings"
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 300_000
    readme = (folder / "README.md").read_text()
    for file in files:
        place = file.relative_to(folder)
        assert f"`{place}`" in readme or f"`{place.parent}`" in readme or file.name == "README.md", place
