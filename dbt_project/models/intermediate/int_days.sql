with candles as (
    select
        *,
        {{ timeframe_seconds('timeframe') }} as seconds
    from {{ ref('stg_candles') }}
),

by_timeframe as (
    select
        exchange,
        symbol,
        timeframe,
        toDate(opened_at) as day,
        any(seconds) as seconds,
        argMin(open, opened_at) as open,
        max(high) as high,
        min(low) as low,
        argMax(close, opened_at) as close,
        sum(volume) as volume,
        count() as candles,
        intDiv(86400, seconds) as expected,
        max(opened_at) + toIntervalSecond(seconds) as closed_at,
        max(known_at) as known_at,
        max(simulated) as simulated
    from candles
    group by exchange, symbol, timeframe, day
),

best as (
    select * from by_timeframe
    order by exchange asc, symbol asc, day asc, candles / expected desc, seconds
    limit 1 by exchange, symbol, day
)

select * from best
