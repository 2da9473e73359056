"""What following our own exchanges needs, and what it does not."""

import subprocess
import sys


def test_ccxt_is_not_loaded_for_exchanges_that_have_a_file_of_their_own() -> None:
    program = (
        "import sys, ingestion.commands.ingest; sys.exit('ccxt' in sys.modules)"  # it would take 8 s after every crash
    )
    assert subprocess.run([sys.executable, "-P", "-c", program], check=False).returncode == 0
