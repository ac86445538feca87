{#
  Keep the winner of each group of beliefs under the lake's total order: belief_time, then recorded_at, then rev, the
  newest first; equal in all of them, the source whose name comes first. arg_max would skip a null value and so revive
  a retracted number, and would break ties by scan order.
#}
{% macro newest_belief(about) -%}
    qualify row_number() over (
        partition by {{ about | join(', ') }}
        order by belief_time desc, recorded_at desc, rev desc, source, scenario
    ) = 1
{%- endmacro %}

{# Start of the UTC hour. Computed without a time zone: on TIMESTAMPTZ DuckDB asks ICU for every row, 4 times slower. #}
{% macro hour_of(column) -%}
    date_trunc('hour', {{ column }} at time zone 'UTC') at time zone 'UTC'
{%- endmacro %}
