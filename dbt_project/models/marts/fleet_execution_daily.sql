{# What devices were told and what they acknowledged, by UTC day; of one interval the newest acknowledgement counts. #}
with acknowledged as (
    select *
    from {{ ref('stg_executions') }}
    qualify row_number() over (
        partition by device_id, interval_start order by execution_time desc, version desc, schedule_id
    ) = 1
)

select
    {{ utc_day('acknowledged.interval_start') }} as utc_day,
    count(distinct acknowledged.device_id)::integer as devices,
    count(*)::bigint as intervals,
    count(*) filter (where acknowledged.status = 'success')::bigint as succeeded,
    count(*) filter (where acknowledged.status <> 'success')::bigint as failed,
    sum(told.power_kw) * 0.5 / 1000 as told_mwh,
    sum(acknowledged.power_kw) * 0.5 / 1000 as executed_mwh,
    avg(abs(acknowledged.power_kw - told.power_kw)) as mean_absolute_deviation_kw,
    median(epoch(acknowledged.received_at) - epoch(acknowledged.interval_start)) / 60 as median_delay_minutes
from acknowledged
left join {{ ref('stg_setpoints') }} as told
    on told.schedule_id = acknowledged.schedule_id
    and told.version = acknowledged.version
    and told.device_id = acknowledged.device_id
    and told.event_start = acknowledged.interval_start
group by utc_day
