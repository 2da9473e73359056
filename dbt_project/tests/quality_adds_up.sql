-- Candles there and candles missing are the candles expected, and all candles are counted once.
with days as (
    select * from {{ ref('data_quality_daily') }}
),

totals as (
    select
        exchange,
        symbol,
        timeframe,
        sum(candles) as candles_of_days
    from days
    group by exchange, symbol, timeframe
),

candles as (
    select
        exchange,
        symbol,
        timeframe,
        count() as candles_of_mart
    from {{ ref('candles') }}
    group by exchange, symbol, timeframe
)

select
    exchange,
    symbol,
    timeframe,
    day
from days
where candles + missing != expected or missing < 0

union all

select
    totals.exchange,
    totals.symbol,
    totals.timeframe,
    toDate('1970-01-01') as day
from totals
left join candles using (exchange, symbol, timeframe)
where totals.candles_of_days != candles.candles_of_mart
