with candles as (
    select
        *,
        {{ timeframe_seconds('timeframe') }} as seconds
    from {{ ref('stg_candles') }}
    where timeframe in ('1m', '5m', '15m', '1h')
),

by_timeframe as (
    select
        exchange,
        symbol,
        timeframe,
        toStartOfHour(opened_at) as hour,
        any(seconds) as seconds,
        argMin(open, opened_at) as open,
        max(high) as high,
        min(low) as low,
        argMax(close, opened_at) as close,
        sum(candles.volume) as volume,
        sum(candles.quote_volume) as quote_volume,
        sum(candles.trade_count) as trade_count,
        sum(candles.taker_buy_volume) as taker_buy_volume,
        count() as candles_found,
        max(simulated) as simulated
    from candles
    group by exchange, symbol, timeframe, hour
),

best as (
    select * from by_timeframe
    order by exchange asc, symbol asc, hour asc, candles_found * seconds desc, seconds
    limit 1 by exchange, symbol, hour
)

select * from best
