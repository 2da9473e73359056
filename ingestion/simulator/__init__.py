"""A local Binance, Bybit and OKX in one process: their WebSocket and REST formats, limits, and scripted faults.

Written without a look at `ingestion/exchanges`, so that a shared misunderstanding can not hide.
`cap simulate` starts it; `async with ingestion.simulator.server.running(Options(...)) as simulator` runs it in a test
(`simulator.url`).
"""
