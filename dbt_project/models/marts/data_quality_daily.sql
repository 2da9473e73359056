{{ config(order_by='(day, exchange, symbol, timeframe)') }}

with candles as (
    select
        *,
        {{ timeframe_seconds('timeframe') }} as seconds
    from {{ ref('stg_candles') }}
),

spans as (
    select
        exchange,
        symbol,
        timeframe,
        any(seconds) as length,
        min(opened_at) as first_at,
        max(opened_at) + toIntervalSecond(length) as last_at
    from candles
    group by exchange, symbol, timeframe
),

calendar as (
    select
        exchange,
        symbol,
        timeframe,
        length,
        first_at,
        last_at,
        arrayJoin(arrayMap(
            n -> toDate(first_at) + n, range(toUInt32(toDate(last_at - toIntervalSecond(1)) - toDate(first_at)) + 1)
        )) as day
    from spans
),

days as (
    select
        exchange,
        symbol,
        timeframe,
        toDate(opened_at) as day,
        count() as candles_found,
        countIf(quality = 'gap') as with_gap,
        countIf(quality = 'healed') as healed,
        countIf(quality = 'backfilled') as backfilled,
        countIf(revision > 0) as revised,
        countIf(volume = 0) as without_trades,
        max(simulated) as simulated
    from candles
    group by exchange, symbol, timeframe, day
),

open_gaps as (
    select
        exchange,
        symbol,
        timeframe,
        toDate(from_at) as day,
        count() as gaps
    from {{ ref('stg_gaps') }}
    where status != 'healed'
    group by exchange, symbol, timeframe, day
),

final as (
    select
        calendar.exchange as exchange,
        calendar.symbol as symbol,
        calendar.timeframe as timeframe,
        calendar.day as day,
        days.candles_found as candles_found,
        days.with_gap as with_gap,
        days.healed as healed,
        days.backfilled as backfilled,
        days.revised as revised,
        days.without_trades as without_trades,
        days.simulated as simulated,
        open_gaps.gaps as gaps,
        intDiv(
            dateDiff(
                'second',
                greatest(toDateTime64(calendar.day, 6, 'UTC'), calendar.first_at),
                least(toDateTime64(calendar.day + 1, 6, 'UTC'), calendar.last_at)
            ),
            calendar.length
        ) as expected
    from calendar
    left join days
        on
            calendar.exchange = days.exchange and calendar.symbol = days.symbol
            and calendar.timeframe = days.timeframe and calendar.day = days.day
    left join open_gaps
        on
            calendar.exchange = open_gaps.exchange and calendar.symbol = open_gaps.symbol
            and calendar.timeframe = open_gaps.timeframe and calendar.day = open_gaps.day
)

select
    exchange,
    symbol,
    timeframe,
    day,
    toUInt32(expected) as expected,
    toUInt32(candles_found) as candles,
    toInt32(expected) - toInt32(candles_found) as missing,
    toUInt32(gaps) as gaps,
    toUInt32(with_gap) as with_gap,
    toUInt32(healed) as healed,
    toUInt32(backfilled) as backfilled,
    toUInt32(revised) as revised,
    toUInt32(without_trades) as without_trades,
    candles_found / expected as coverage_ratio,
    simulated
from final
