with source as (
    {{ last_revision(source('lake', 'trades'), ['exchange', 'symbol', 'traded_at', 'sequence', 'trade_id']) }}
)

select * from source
