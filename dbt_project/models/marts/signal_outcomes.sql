{{ config(order_by='(symbol, timeframe, opened_at, exchange, horizon)') }}

with signals as (
    select
        *,
        opened_at + toIntervalSecond({{ timeframe_seconds('timeframe') }}) as closed_at
    from {{ ref('stg_signals') }}
    where score != 0
),

minutes as (
    select
        exchange,
        symbol,
        opened_at + toIntervalMinute(1) as closed_at,
        close
    from {{ ref('stg_candles') }}
    where timeframe = '1m'
),

horizons as (
    select
        signals.*,
        pair.1 as horizon,
        signals.closed_at + toIntervalMinute(pair.2) as measured_at
    from signals
    array join [('5m', 5), ('15m', 15), ('1h', 60), ('4h', 240), ('1d', 1440)] as pair
)

select
    horizons.exchange as exchange,
    horizons.symbol as symbol,
    horizons.timeframe as timeframe,
    horizons.opened_at as opened_at,
    horizons.horizon as horizon,
    horizons.known_at as known_at,
    horizons.score as score,
    horizons.confidence as confidence,
    horizons.close as close,
    toFloat64(minutes.close) as later_close,
    (toFloat64(minutes.close) / horizons.close - 1) * sign(horizons.score) as outcome,
    horizons.simulated as simulated
from horizons
inner join minutes
    on
        horizons.exchange = minutes.exchange and horizons.symbol = minutes.symbol
        and horizons.measured_at = minutes.closed_at
