select
    planning_series,
    kind,
    step_seconds,
    low,
    high,
    preference,
    series_id,
    scenario,
    factor,
    "offset"
from read_parquet('{{ var("inputs") }}/series.parquet')
