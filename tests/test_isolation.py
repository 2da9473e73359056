"""A person who works with the platform on the same machine runs the tests: neither notices the other."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
THAT_READ_SETTINGS = (
    "tests/assets/models/test_assets.py::test_a_table_with_a_hole_is_not_written_and_nothing_is_trained_on_it",
    "tests/assets/models/test_assets.py::test_every_schedule_waits_for_history_and_then_runs",
    "tests/assets/certificates/test_certificates.py::test_a_certificate_holds_for_its_code_and_no_other",
    "tests/infra/local/test_platform.py",
    "infra/settings.py",
)


def test_exported_settings_change_no_test_and_the_data_they_name_is_not_touched(tmp_path: Path) -> None:
    data, here = tmp_path / "data", tmp_path / "here"
    data.mkdir()
    here.mkdir()
    exported = {
        "CAP_DATA_DIRECTORY": str(data),
        "CAP_LAKE_URL": str(data / "lake"),
        "CAP_KERNEL_CACHE": str(data / "kernels"),
        "CAP_SYMBOLS": '["DOGE-USDT"]',
        "CAP_POSTGRES_URL": "postgresql://cap@127.0.0.1:1/cap",
        "CAP_OF_ANOTHER_PROGRAM": "an unknown setting is an error",
    }
    tests = [ROOT / test for test in THAT_READ_SETTINGS]
    plain = ("-q", "-n", "0", "-p", "no:cacheprovider", f"--rootdir={ROOT}", "-c", ROOT / "pyproject.toml")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *plain, f"--basetemp={tmp_path / 'their'}", *tests],
        cwd=here,
        env=os.environ | exported,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5_000:]
    assert list(data.iterdir()) == list(here.iterdir()) == []
