{# Files are named <schedule_id>~<version>.parquet; mode 1 gives to the grid, 2 takes from it, 0 does neither #}
select
    regexp_extract(filename, '([^/]+)~[0-9]+\.parquet$', 1) as schedule_id,
    regexp_extract(filename, '~([0-9]+)\.parquet$', 1)::integer as version,
    device_id,
    event_start,
    case mode when 1 then rate_kw when 2 then -rate_kw else 0 end as power_kw
from read_parquet('{{ var("inputs") }}/setpoints/*.parquet', union_by_name = true, filename = true)
where device_id is not null
