"""The ledger of OWASP ASVS 5.0 names places and tests that exist; a row that is not in it is not claimed."""

import csv
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
with (ROOT / "serving" / "asvs-5.0.csv").open(newline="") as _file:
    LEDGER = list(csv.DictReader(_file))


def test_every_test_and_place_of_the_ledger_exists() -> None:
    for row in LEDGER:
        path, _, name = row["test"].partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), row
        assert (ROOT / row["where"]).is_file(), row
        assert row["applies"] == "yes", "a row that does not apply needs a reason, for which there is no column yet"


def test_no_row_is_there_twice() -> None:
    assert len({row["row"] for row in LEDGER}) == len(LEDGER)
