{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_changed_days(utc_day('hour_start')) }}"
) }}
{# What a planning series really did, by the rules of config/series.toml. Vendors' forecasts are no observations. #}
with vendor as (
    select *
    from {{ ref('stg_series') }}
    where planning_series not like '%\_forecast.%' escape '\'
),

said as (
    select
        beliefs.series_id,
        beliefs.scenario,
        beliefs.event_start,
        beliefs.value,
        beliefs.unit,
        beliefs.quality,
        beliefs.belief_time
    from {{ ref('stg_beliefs') }} as beliefs
    where beliefs.member is null
        and {{ is_of_a_changed_day('beliefs.event_start') }}
        and exists (
            from vendor
            where vendor.series_id = beliefs.series_id and vendor.scenario = beliefs.scenario
        )
    qualify row_number() over (
        partition by beliefs.series_id, beliefs.scenario, beliefs.event_start
        order by beliefs.belief_time desc, beliefs.recorded_at desc, beliefs.rev desc, beliefs.source
    ) = 1
),

usable as (
    select
        vendor.planning_series,
        vendor.kind,
        vendor.step_seconds,
        vendor.series_id,
        said.event_start,
        {{ hour_of('said.event_start') }} as hour_start,
        said.value * vendor.factor + vendor."offset" as value,
        said.unit,
        said.belief_time,
        said.quality
    from said
    inner join vendor using (series_id, scenario)
    where said.quality in ('good', 'substituted', 'estimated')
        and said.value * vendor.factor + vendor."offset" between vendor.low and vendor.high
    qualify row_number() over (
        partition by vendor.planning_series, said.event_start order by vendor.preference
    ) = 1
)

select
    planning_series,
    hour_start,
    case
        when kind = 'instant' then max(value) filter (where event_start = hour_start)
        else avg(value)
    end as value,
    any_value(unit) as unit,
    kind,
    bool_and(quality = 'good') as is_good,
    max(belief_time) as newest_belief_time,
    string_agg(distinct series_id, ', ' order by series_id) as vendor_series
from usable
group by planning_series, kind, hour_start
having (kind = 'instant' and count(*) filter (where event_start = hour_start) > 0)
    or (kind = 'mean' and sum(step_seconds) >= 3600)
