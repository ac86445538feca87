{# The newest fleet schedule of each operating day, its energy, and what it is worth at forecast and settled prices. #}
with plans as (
    select schedule_id, version, as_of, operating_day, devices, earnings_usd
    from {{ ref('stg_publications') }}
    where plan = 'fleet' and operating_day is not null
    qualify row_number() over (partition by operating_day order by as_of desc, version desc) = 1
),

total as (
    select
        schedule_id,
        version,
        event_start,
        sum(power_kw) as power_kw,
        sum(greatest(power_kw, 0)) as out_kw,
        sum(greatest(-power_kw, 0)) as in_kw
    from {{ ref('stg_fleet_schedules') }}
    group by schedule_id, version, event_start
),

priced as (
    select
        total.*,
        price.value as price_usd_mwh
    from total
    left join {{ ref('observations_hourly') }} as price
        on price.planning_series = 'hb_north.price_rt.usd_mwh'
        and price.hour_start = {{ hour_of('total.event_start') }}
)

select
    plans.operating_day,
    plans.schedule_id,
    plans.version,
    plans.as_of,
    plans.devices,
    count(*)::integer as half_hours,
    sum(priced.in_kw) * 0.5 / 1000 as charged_mwh,
    sum(priced.out_kw) * 0.5 / 1000 as discharged_mwh,
    max(priced.power_kw) / 1000 as highest_export_mw,
    -min(priced.power_kw) / 1000 as highest_import_mw,
    plans.earnings_usd as expected_usd,
    count(priced.price_usd_mwh)::integer as settled_half_hours,
    case
        when count(*) = count(priced.price_usd_mwh)
            then sum(priced.power_kw * priced.price_usd_mwh) * 0.5 / 1000
    end as real_time_energy_usd
from plans
inner join priced using (schedule_id, version)
group by all
