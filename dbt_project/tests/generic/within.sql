{# Every value that is not null lies in [low, high]. #}
{% test within(model, column_name, low, high) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} is not null and {{ column_name }} not between {{ low }} and {{ high }}
{% endtest %}
