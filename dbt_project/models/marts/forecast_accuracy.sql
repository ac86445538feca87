select
    series,
    model,
    case
        when lead_h < 1 then '00 h'
        when lead_h < 6 then '01 to 05 h'
        when lead_h < 12 then '06 to 11 h'
        when lead_h < 24 then '12 to 23 h'
        when lead_h < 48 then '24 to 47 h'
        when lead_h < 96 then '48 to 95 h'
        else '96 h and more'
    end as lead_block,
    any_value(unit) as unit,
    count(*)::bigint as pairs,
    avg(abs(error)) as mean_absolute_error,
    avg(error) as bias,
    sqrt(avg(error * error)) as root_mean_square_error,
    avg(case when is_inside_80 then 1.0 when not is_inside_80 then 0.0 end)::double as coverage_80,
    avg(actual) as mean_actual,
    min(event_start) as first_event_start,
    max(event_start) as last_event_start
from {{ ref('forecast_vs_actual') }}
where actual is not null
group by series, model, lead_block
