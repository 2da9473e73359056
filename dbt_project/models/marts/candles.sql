{{ config(order_by='(symbol, timeframe, opened_at, exchange)', partition_by='toYYYYMM(opened_at)') }}

with candles as (
    select * from {{ ref('stg_candles') }}
)

select
    exchange,
    symbol,
    timeframe,
    opened_at,
    opened_at + toIntervalSecond({{ timeframe_seconds('timeframe') }}) as closed_at,
    known_at,
    revision,
    open,
    high,
    low,
    close,
    volume,
    taker_buy_volume,
    quote_volume,
    trade_count,
    quality,
    simulated
from candles
