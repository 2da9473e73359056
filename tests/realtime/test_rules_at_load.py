"""A rule is tried when it is loaded: what it names must exist."""

import sys

import pytest

from infra.errors import SettingsError
from realtime import signals

SCRATCH = '''"""A rule written for this test."""

import numpy as np

WEIGHT = 1.0


def rule(view):
    """Look at a column."""
    return np.where(view{look} > 0, 1.0, -1.0)


def reason(value, at):
    """Say what was looked at."""
    return f"it was {{at['{text}']}} here"
'''


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Write a rule beside the others."""

    def write(look, text="rsi_14"):
        (tmp_path / "scratch.py").write_text(SCRATCH.format(look=look, text=text))
        monkeypatch.setattr(signals, "__path__", [*signals.__path__, str(tmp_path)])
        signals.rules.cache_clear()

    yield write
    sys.modules.pop("realtime.signals.scratch", None)
    signals.rules.cache_clear()


@pytest.mark.parametrize("look", ["['rsi_41']", ".previous('rsi_41')", ".other(next(iter(view.others)), 'rsi_41')"])
def test_a_rule_with_a_misspelled_column_is_refused_with_near_names_instead_of_being_silent(scratch, look):
    scratch(look)
    with pytest.raises(SettingsError, match=r"rule scratch names the column 'rsi_41'.*did you mean rsi_14"):
        signals.rules()


def test_a_reason_with_a_misspelled_column_is_refused_too(scratch):
    scratch("['rsi_14']", text="bollinger_20_2_uper")
    with pytest.raises(SettingsError, match=r"scratch names the column 'bollinger_20_2_uper'.*bollinger_20_2_upper"):
        signals.rules()


def test_a_misspelled_bar_is_refused_too(scratch):
    scratch(".bars['volum'][:, -1]")
    with pytest.raises(SettingsError, match=r"scratch names the column 'volum'.*did you mean volume"):
        signals.rules()


def test_a_rule_that_names_what_exists_joins_the_others(scratch):
    scratch("['vwap']")
    assert "scratch" in [rule.name for rule in signals.rules()]
