{# Every row has the number or the reason why there is none, never both. #}
{% test number_or_reason(model, column_name, reason) %}
select {{ column_name }}, {{ reason }}
from {{ model }}
where ({{ column_name }} is null) = ({{ reason }} is null)
{% endtest %}
