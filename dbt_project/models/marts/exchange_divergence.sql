{{ config(order_by='(symbol, hour, exchange, other_exchange)') }}

with hours as (
    select * from {{ ref('int_hours') }}
    where exchange != 'composite' and volume > 0
)

select
    one.symbol as symbol,
    one.hour as hour,
    one.exchange as exchange,
    other.exchange as other_exchange,
    one.close as close,
    other.close as other_close,
    (toFloat64(other.close) / toFloat64(one.close) - 1) * 10000 as divergence_bps,
    (one.simulated or other.simulated) as simulated
from hours as one
inner join hours as other on one.symbol = other.symbol and one.hour = other.hour
where one.exchange < other.exchange
