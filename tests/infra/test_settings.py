"""Settings as people type them."""

import pytest

from infra.errors import SettingsError
from infra.settings import read


@pytest.mark.parametrize("text", ["BTCUSDT,ETHUSDT", " BTCUSDT , ETHUSDT,", '["BTCUSDT", "ETHUSDT"]'])
def test_symbols_are_separated_by_commas_or_written_as_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CAP_SYMBOLS", text)
    assert read().symbols == ("BTCUSDT", "ETHUSDT")


def test_one_exchange_is_a_list_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAP_EXCHANGES", "binance")
    assert read().exchanges == ("binance",)


def test_a_broken_list_is_named_with_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAP_SYMBOLS", '["BTCUSDT"')
    with pytest.raises(SettingsError, match=r"CAP_SYMBOLS: .*write them with commas"):
        read()


def test_the_wildcard_stands_for_all_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAP_SYMBOLS", "*")
    assert read().symbols == ("*",)
