-- Candles there and candles missing are the candles expected, and all candles are counted once.
select exchange, symbol, timeframe, day from {{ ref('data_quality_daily') }}
where candles + missing != expected or missing < 0

union all

select exchange, symbol, timeframe, toDate('1970-01-01') as day
from (
    select exchange, symbol, timeframe, sum(candles) as counted from {{ ref('data_quality_daily') }}
    group by exchange, symbol, timeframe
) as counts
left join (
    select exchange, symbol, timeframe, count() as found from {{ ref('candles') }} group by exchange, symbol, timeframe
) as candles using (exchange, symbol, timeframe)
where counted != found
