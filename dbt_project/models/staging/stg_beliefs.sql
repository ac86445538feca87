{# Files are named <sequence>-<recorded_at in microseconds, 0 where each row has its own>.parquet #}
select
    series_id,
    event_start,
    event_end,
    belief_time,
    coalesce(
        recorded_at,
        make_timestamp(regexp_extract(filename, '-([0-9]+)\.parquet$', 1)::bigint) at time zone 'UTC'
    ) as recorded_at,
    rev,
    belief_basis,
    value,
    grid,
    quantiles,
    unit,
    quality,
    quality_detail,
    source,
    scenario,
    member
from {{ source('lake', 'beliefs') }}
