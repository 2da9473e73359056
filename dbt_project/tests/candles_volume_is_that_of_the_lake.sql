-- Every row and every unit of volume of the lake's last revisions is in the mart, exactly.
with lake as (
    select
        count() as candles,
        sum(volume) as volume
    from {{ ref('stg_candles') }}
),

mart as (
    select
        count() as candles,
        sum(volume) as volume
    from {{ ref('candles') }}
)

select
    lake.candles as lake_candles,
    mart.candles as mart_candles,
    lake.volume as lake_volume,
    mart.volume as mart_volume
from lake
cross join mart
where lake.candles != mart.candles or lake.volume != mart.volume
