{{ config(order_by='(symbol, exchange, hour)') }}

with hours as (
    select * from {{ ref('int_hours') }}
)

select
    exchange,
    symbol,
    hour,
    timeframe as source_timeframe,
    volume,
    quote_volume,
    toNullable(toInt64(trade_count)) as trade_count,
    if(volume > 0, toFloat64(taker_buy_volume) / toFloat64(volume), null) as taker_buy_ratio,
    if(low > 0, (toFloat64(high) - toFloat64(low)) / toFloat64(low) * 10000, null) as range_bps,
    if(
        toFloat64(volume) > 0,
        abs(toFloat64(close) / toFloat64(open) - 1) * 1000000 / (toFloat64(volume) * toFloat64(close)), null
    ) as illiquidity,
    simulated
from hours
