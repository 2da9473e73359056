with source as (
    {{ last_revision(source('lake', 'gaps'), ['exchange', 'symbol', 'timeframe', 'from_at', 'to_at']) }}
)

select * from source
