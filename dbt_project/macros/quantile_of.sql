{#
  The value of one non-exceedance probability in a belief's distribution, null where it was not stated. `grid` reads
  like "point 0.1 0.5 0.9"; the word point stands for `value`, not for an entry of `quantiles`.
#}
{% macro quantile_of(probability) -%}
    quantiles[list_position(
        list_filter(string_split(grid, ' '), lambda part: part <> 'point'), '{{ probability }}'
    )]
{%- endmacro %}
