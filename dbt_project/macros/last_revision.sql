{#- Rows of a source, of each key the last revision. -#}
{% macro last_revision(relation, key) -%}
    select * from {{ relation }}
    order by {{ key | join(', ') }}, revision desc
    limit 1 by {{ key | join(', ') }}
{%- endmacro %}
