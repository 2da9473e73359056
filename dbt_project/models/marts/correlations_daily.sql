{{ config(order_by='(exchange, symbol, other_symbol, day)') }}

with returns as (
    select
        exchange,
        symbol,
        day,
        assumeNotNull(return_log) as return_log
    from {{ ref('returns_daily') }}
    where return_log is not null
),

pairs as (
    select
        one.exchange as exchange,
        one.symbol as symbol,
        other.symbol as other_symbol,
        one.day as day,
        one.return_log as return_log,
        other.return_log as other_return_log
    from returns as one
    inner join returns as other on one.exchange = other.exchange and one.day = other.day
    where one.symbol < other.symbol
),

final as (
    select
        exchange,
        symbol,
        other_symbol,
        day,
        count() over month as days,
        corr(return_log, other_return_log) over month as correlation
    from pairs
    window month as (
        partition by exchange, symbol, other_symbol order by toInt32(day) range between 29 preceding and current row
    )
)

select
    exchange,
    symbol,
    other_symbol,
    day,
    toUInt16(days) as days,
    if(days = 30 and isFinite(correlation), toNullable(correlation), null) as correlation_30d
from final
