{# The operation that the path of a provider's address stands for; any other one is a chat. #}
{% macro operation_of_path(path) -%}
    case
        when {{ path }} like '%/embeddings' or {{ path }} like '%:embedContent' then 'embeddings'
        when {{ path }} like '%/images/%' then 'image'
        when {{ path }} like '%/audio/%' then 'audio'
        when {{ path }} like '%/rerank' then 'rerank'
        when {{ path }} like '%:generateContent' or {{ path }} like '%:streamGenerateContent'
            then 'generate_content'
        when {{ path }} like '%/completions' and {{ path }} not like '%/chat/completions'
            then 'text_completion'
        else 'chat'
    end
{%- endmacro %}
