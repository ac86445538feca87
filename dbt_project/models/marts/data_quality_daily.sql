{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_changed_days('utc_day') }}"
) }}
{# What each source delivered for each UTC day, and what became of it. #}
with beliefs as (
    select
        source,
        scenario,
        series_id,
        member,
        event_start,
        event_end,
        belief_time,
        recorded_at,
        rev,
        quality,
        count(*) over (partition by series_id, event_start, source, scenario, member) as statements
    from {{ ref('stg_beliefs') }}
    where {{ is_of_a_changed_day('event_start') }}
    qualify row_number() over (
        partition by series_id, event_start, source, scenario, member
        order by belief_time desc, recorded_at desc, rev desc
    ) = 1
)

select
    source,
    scenario,
    (event_start at time zone 'UTC')::date as utc_day,
    count(distinct series_id)::integer as series,
    count(*)::bigint as intervals,
    sum(statements)::bigint as statements,
    count(*) filter (where statements > 1)::bigint as restated,
    count(*) filter (where quality = 'good')::bigint as good,
    count(*) filter (where quality in ('substituted', 'estimated'))::bigint as substituted,
    count(*) filter (where quality = 'questionable')::bigint as questionable,
    count(*) filter (where quality in ('bad', 'missing'))::bigint as missing,
    count(*) filter (where quality = 'retracted')::bigint as retracted,
    count(*) filter (where quality = 'good') / count(*) as share_good,
    median((epoch(belief_time) - epoch(event_end)) / 60) as median_delay_minutes
from beliefs
group by all
