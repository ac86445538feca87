{# For each hour the last plan decided at or before it: what was intended when the hour began. #}
with intended as (
    select series, event_start, issued_at, forecast, actual
    from {{ ref('forecast_vs_actual') }}
    where model = 'reservoir_plan'
    qualify row_number() over (partition by series, event_start order by issued_at desc) = 1
)

select
    event_start as hour_start,
    max(issued_at) as decided_at,
    max(forecast) filter (where series = 'oxbow.power.mw') as planned_oxbow_mw,
    max(actual) filter (where series = 'oxbow.power.mw') as actual_oxbow_mw,
    max(actual - forecast) filter (where series = 'oxbow.power.mw') as oxbow_difference_mw,
    max(forecast) filter (where series = 'afterbay.elevation.ft') as planned_elevation_ft,
    max(actual) filter (where series = 'afterbay.elevation.ft') as actual_elevation_ft,
    max(actual - forecast) filter (where series = 'afterbay.elevation.ft') as elevation_difference_ft
from intended
group by event_start
