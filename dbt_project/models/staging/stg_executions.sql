select
    interval_start,
    schedule_id,
    version::integer as version,
    device_id,
    execution_time,
    status,
    actual_rate_kw as power_kw,
    soc_kwh,
    error_message,
    received_at
from read_parquet('{{ var("inputs") }}/executions/*.parquet', union_by_name = true)
where device_id is not null
