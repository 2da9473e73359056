with source as (
    {{ last_revision(source('lake', 'candles'), ['exchange', 'symbol', 'timeframe', 'opened_at']) }}
)

select * from source
