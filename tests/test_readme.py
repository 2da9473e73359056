"""What the README says holds: its commands exist, its table is what was measured."""

import json
import re
from importlib.metadata import entry_points
from pathlib import Path

import bench.readme

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_every_cap_command_and_make_target_named_exists() -> None:
    commands = {point.name for point in entry_points(group="cap.commands")}
    named = set(re.findall(r"^cap (\w[\w-]*)", README, re.MULTILINE)) | set(re.findall(r"`cap (\w[\w-]*)[ `]", README))
    assert named - commands == set()
    assert {"up", "doctor", "decode", "candles", "indicators", "replay"} <= named
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (\w+)", README)) - targets == set()


def test_every_file_and_setting_named_exists() -> None:
    settings = (ROOT / "infra" / "settings.py").read_text()
    for name in set(re.findall(r"CAP_([A-Z_]+)", README)) - {""}:
        assert re.search(rf"^    {name.lower()}:", settings, re.MULTILINE), name
    for path in re.findall(r"\]\(((?!http)[^)#]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_table_of_measurements_is_the_file_of_results() -> None:
    results = json.loads((ROOT / "bench" / "results.json").read_text())
    assert bench.readme.written(README, results) == README
