with source as (
    {{ last_revision(source('lake', 'signals'), ['exchange', 'symbol', 'timeframe', 'opened_at']) }}
)

select * from source
