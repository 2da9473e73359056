{{ config(order_by='(symbol, exchange, day)') }}

with returns as (
    select * from {{ ref('returns_daily') }}
    where return_log is not null
),

final as (
    select
        exchange,
        symbol,
        day,
        count() over week as days_7,
        count() over month as days_30,
        stddevSamp(return_log) over week as deviation_7,
        stddevSamp(return_log) over month as deviation_30
    from returns
    window
        week as (partition by exchange, symbol order by toInt32(day) range between 6 preceding and current row),
        month as (partition by exchange, symbol order by toInt32(day) range between 29 preceding and current row)
)

select
    exchange,
    symbol,
    day,
    toUInt16(days_7) as days_7,
    toUInt16(days_30) as days_30,
    if(days_7 = 7, toNullable(deviation_7 * sqrt(365)), null) as volatility_7d,
    if(days_30 = 30, toNullable(deviation_30 * sqrt(365)), null) as volatility_30d
from final
