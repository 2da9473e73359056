-- A correlation lies within -1 and 1, a divergence gives back the other price, an outcome never loses more than all.
select
    'correlation' as what,
    symbol,
    toString(day) as at
from {{ ref('correlations_daily') }}
where abs(correlation_30d) > 1.000001

union all

select
    'divergence' as what,
    symbol,
    toString(hour) as at
from {{ ref('exchange_divergence') }}
where abs(toFloat64(close) * (1 + divergence_bps / 10000) / toFloat64(other_close) - 1) > 1e-9

union all

select
    'volatility' as what,
    symbol,
    toString(day) as at
from {{ ref('volatility_daily') }}
where volatility_7d < 0 or volatility_30d < 0 or days_7 > 7 or days_30 > 30

union all

select
    'outcome' as what,
    symbol,
    toString(opened_at) as at
from {{ ref('signal_outcomes') }}
where abs(close * (1 + outcome * sign(score)) / later_close - 1) > 1e-9
