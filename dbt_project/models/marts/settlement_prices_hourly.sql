{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_changed_days(utc_day('hour_start')) }}"
) }}
{# ercot:spp_rt:HB_NORTH:HU, ercot:spp_da:HB_NORTH, caiso:lmp_da:RALSTON_7_B1:LMP, caiso:lmp_rtpd:RALSTON_7_B1:LMP #}
with stated as (
    select
        series_id,
        event_start,
        event_end,
        belief_time,
        recorded_at,
        value,
        source
    from {{ ref('stg_beliefs') }}
    where unit = 'USD/MWh'
        and {{ is_of_a_changed_day('event_start') }}
        and member is null
        and scenario in ('actual', 'corrected')
        and (
            regexp_matches(series_id, '^ercot:spp_(da|rt):')
            or regexp_matches(series_id, '^caiso:lmp_(da|rtpd):[^:]+:LMP$')
        )
    {{ newest_belief(['series_id', 'event_start']) }}
),

named as (
    select
        *,
        split_part(series_id, ':', 1) as iso,
        split_part(series_id, ':', 3) as settlement_point,
        case
            when split_part(series_id, ':', 2) in ('spp_da', 'lmp_da') then 'day_ahead'
            else 'real_time'
        end as market,
        {{ hour_of('event_start') }} as hour_start
    from stated
    where value is not null
)

select
    iso,
    settlement_point,
    market,
    hour_start,
    hour_start + interval 1 hour as hour_end,
    avg(value) as price_usd_mwh,
    min(value) as lowest_usd_mwh,
    max(value) as highest_usd_mwh,
    count(*)::integer as intervals,
    sum(epoch(event_end) - epoch(event_start)) >= 3600 as is_complete,
    max(belief_time) as newest_belief_time,
    max(recorded_at) as newest_recorded_at,
    string_agg(distinct source, ', ' order by source) as sources
from named
group by iso, settlement_point, market, hour_start
