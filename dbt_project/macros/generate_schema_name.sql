{# marts.settlement_prices_hourly, not main_marts.settlement_prices_hourly #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
