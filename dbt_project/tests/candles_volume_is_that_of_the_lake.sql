-- Every row and every unit of volume of the lake's last revisions is in the mart, exactly.
with lake as (
    select count() as candles, sum(volume) as volume from {{ ref('stg_candles') }}
),

mart as (
    select count() as candles, sum(volume) as volume from {{ ref('candles') }}
)

select * from lake, mart
where lake.candles != mart.candles or lake.volume != mart.volume
