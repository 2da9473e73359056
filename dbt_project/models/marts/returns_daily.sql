{{ config(order_by='(symbol, exchange, day)') }}

with days as (
    select * from {{ ref('int_days') }}
),

with_previous as (
    select
        *,
        lagInFrame(toNullable(close)) over before as previous_close,
        lagInFrame(toNullable(day)) over before as previous_day
    from days
    window before as (partition by exchange, symbol order by day rows between unbounded preceding and current row)
),

final as (
    select
        exchange,
        symbol,
        day,
        timeframe as source_timeframe,
        close,
        volume,
        if(previous_day = day - 1, previous_close, null) as previous_close,
        toFloat64(close) / toFloat64(previous_close) - 1 as return_simple,
        log(toFloat64(close) / toFloat64(previous_close)) as return_log,
        candles = expected as complete,
        simulated
    from with_previous
)

select
    exchange,
    symbol,
    day,
    source_timeframe,
    close,
    volume,
    final.previous_close as previous_close,
    return_simple,
    return_log,
    toBool(complete) as complete,
    simulated
from final
