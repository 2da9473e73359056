"""Frames that carry several trades, one of them damaged."""

from ingestion.exchanges import exchanges


def test_a_bad_record_does_not_lose_its_siblings() -> None:
    bybit = exchanges()["bybit"]()
    head, _, row = bybit.examples[0].frame.partition(b'"data":[')
    row = row.removesuffix(b"]}")
    frame = head + b'"data":[' + row.replace(b"Buy", b"Bye") + b"," + row + b"]}"
    decoded = bybit.decode([frame], [1])
    assert len(decoded.trades) == 1
    assert "Bye" in decoded.rejected[0].reason
