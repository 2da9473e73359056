{#- Length of a timeframe in seconds. -#}
{% macro timeframe_seconds(column) -%}
    transform(toString({{ column }}), ['1m', '5m', '15m', '1h', '4h', '1d'], [60, 300, 900, 3600, 14400, 86400], 0)
{%- endmacro %}
