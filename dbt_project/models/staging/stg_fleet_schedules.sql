{# Files are named <schedule_id>~<version>.parquet #}
select
    regexp_extract(filename, '([^/]+)~[0-9]+\.parquet$', 1) as schedule_id,
    regexp_extract(filename, '~([0-9]+)\.parquet$', 1)::integer as version,
    device_id,
    event_start,
    power_kw,
    soc_kwh
from read_parquet('{{ var("inputs") }}/fleet/*.parquet', union_by_name = true, filename = true)
where device_id is not null
