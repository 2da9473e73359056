-- Over days without a hole the log returns add up to the change of the price, to float64's rounding.
with days as (
    select
        *,
        day - toDate('2000-01-01') - row_number() over (partition by exchange, symbol order by day) as run
    from {{ ref('returns_daily') }}
),

runs as (
    select
        exchange,
        symbol,
        run,
        log(toFloat64(argMax(close, day)) / toFloat64(argMin(close, day))) as change,
        sum(return_log) - argMin(coalesce(return_log, 0), day) as summed
    from days
    group by exchange, symbol, run
)

select * from runs
where abs(change - summed) > 1e-9
