-- The volume of an exchange's symbol by hours is that of the candles that the hours are made of.
with hours as (
    select
        exchange,
        symbol,
        source_timeframe as timeframe,
        toStartOfHour(hour) as hour,
        volume
    from {{ ref('liquidity_hourly') }}
),

candles as (
    select
        exchange,
        symbol,
        timeframe,
        toStartOfHour(opened_at) as hour,
        sum(volume) as volume
    from {{ ref('candles') }}
    group by exchange, symbol, timeframe, hour
)

select
    hours.exchange,
    hours.symbol,
    hours.hour
from hours
inner join candles
    on
        hours.exchange = candles.exchange and hours.symbol = candles.symbol and hours.timeframe = candles.timeframe
        and hours.hour = candles.hour
where hours.volume != candles.volume
