select
    price_series,
    day_ahead_series,
    real_time_series,
    zone
from read_parquet('{{ var("inputs") }}/prices.parquet')
