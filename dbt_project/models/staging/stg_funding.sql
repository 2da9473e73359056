with source as (
    {{ last_revision(source('lake', 'funding'), ['exchange', 'symbol', 'funded_at']) }}
)

select * from source
