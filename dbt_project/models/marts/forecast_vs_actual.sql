{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_changed_days(utc_day('event_start')) }}"
) }}
{#
  Every vintage beside what happened. Three kinds of forecast: ours (scenario forecast), a vendor's (planning series
  named <place>.<quantity>_forecast.<unit>), and what a plan intended (scenario plan).
#}
with target as (
    -- The series whose observation a forecast is held against, where it is not the series itself.
    select price_series as series_id, real_time_series as actual_series
    from {{ ref('stg_price_series') }}
),

ours as (
    select
        beliefs.series_id as series,
        coalesce(target.actual_series, beliefs.series_id) as actual_series,
        case beliefs.scenario when 'plan' then 'reservoir_plan' else 'tailrace' end as model,
        beliefs.event_start,
        beliefs.belief_time as issued_at,
        beliefs.value as forecast,
        {{ quantile_of(0.1) }} as p10,
        {{ quantile_of(0.9) }} as p90,
        beliefs.unit
    from {{ ref('stg_beliefs') }} as beliefs
    left join target using (series_id)
    where {{ is_of_a_changed_day('beliefs.event_start') }}
        and beliefs.source = 'tailrace' and beliefs.scenario in ('forecast', 'plan') and beliefs.member is null
    qualify row_number() over (
        partition by beliefs.series_id, beliefs.scenario, beliefs.event_start, beliefs.belief_time
        order by beliefs.recorded_at desc, beliefs.rev desc
    ) = 1
),

vendor_parts as (
    select
        replace(rules.planning_series, '_forecast.', '.') as series,
        'vendor:' || split_part(beliefs.series_id, ':', 1) as model,
        beliefs.event_start,
        beliefs.belief_time as issued_at,
        case when beliefs.scenario = rules.scenario then beliefs.value * rules.factor + rules."offset" end as forecast,
        {{ quantile_of(0.1) }} * rules.factor + rules."offset" as p10,
        {{ quantile_of(0.9) }} * rules.factor + rules."offset" as p90,
        beliefs.unit
    from {{ ref('stg_beliefs') }} as beliefs
    inner join {{ ref('stg_series') }} as rules
        on rules.series_id = beliefs.series_id
        and (beliefs.scenario = rules.scenario or beliefs.scenario = 'quantile')
        and rules.planning_series like '%\_forecast.%' escape '\'
    where beliefs.member is null
        and {{ is_of_a_changed_day('beliefs.event_start') }}
    qualify row_number() over (
        partition by beliefs.series_id, beliefs.scenario, beliefs.event_start, beliefs.belief_time
        order by beliefs.recorded_at desc, beliefs.rev desc
    ) = 1
),

vendors as (
    select
        series,
        series as actual_series,
        model,
        event_start,
        issued_at,
        max(forecast) as forecast,
        max(p10) as p10,
        max(p90) as p90,
        any_value(unit) as unit
    from vendor_parts
    group by series, model, event_start, issued_at
),

forecasts as (
    select * from ours
    union all by name
    select * from vendors
)

select
    forecasts.series,
    forecasts.model,
    forecasts.event_start,
    forecasts.issued_at,
    ((epoch(forecasts.event_start) - epoch(forecasts.issued_at)) // 3600)::integer as lead_h,
    forecasts.forecast,
    forecasts.p10,
    forecasts.p90,
    actual.value as actual,
    forecasts.forecast - actual.value as error,
    actual.value between forecasts.p10 and forecasts.p90 as is_inside_80,
    forecasts.unit
from forecasts
left join {{ ref('observations_hourly') }} as actual
    on actual.planning_series = forecasts.actual_series and actual.hour_start = forecasts.event_start
where forecasts.forecast is not null and forecasts.event_start >= forecasts.issued_at
