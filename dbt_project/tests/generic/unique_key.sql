{#- No two rows of a model share these columns. -#}
{% test unique_key(model, columns) %}
select {{ columns | join(', ') }}, count() as times
from {{ model }}
group by {{ columns | join(', ') }}
having times > 1
{% endtest %}
