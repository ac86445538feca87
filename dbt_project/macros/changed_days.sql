{#
  Long marts are carried from one warehouse to the next: a build deletes the days whose files came or went
  (changed_days.parquet, resources/warehouse_inputs.py) and makes them again whole, so that a row that is no longer
  made does not stay. Every such mart must make its rows of one UTC day from beliefs about events of that day alone.
#}
{% macro changed_days() -%}
    read_parquet('{{ var("inputs") }}/changed_days.parquet')
{%- endmacro %}

{% macro utc_day(moment) -%}
    ({{ moment }} at time zone 'UTC')::date
{%- endmacro %}

{# Pre-hook of such a mart. The variables let the reader skip row groups of other days. #}
{% macro forget_changed_days(day) -%}
    {% if is_incremental() %}
        delete from {{ this }} where {{ day }} in (select utc_day from {{ changed_days() }});
        set variable changed_from = (select min(utc_day)::timestamp at time zone 'UTC' from {{ changed_days() }});
        set variable changed_until = (select (max(utc_day) + 1)::timestamp at time zone 'UTC' from {{ changed_days() }})
    {% else %}
        select 1
    {% endif %}
{%- endmacro %}

{# Beliefs about events of the days that are made again; all of them where the mart is new. #}
{% macro is_of_a_changed_day(moment) -%}
    {% if is_incremental() -%}
        {{ moment }} >= getvariable('changed_from')
        and {{ moment }} < getvariable('changed_until')
        and {{ utc_day(moment) }} in (select utc_day from {{ changed_days() }})
    {%- else -%}
        true
    {%- endif %}
{%- endmacro %}
