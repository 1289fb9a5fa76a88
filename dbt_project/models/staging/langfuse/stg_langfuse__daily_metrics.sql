-- one row per instance, day and provided model name, as Langfuse totals them; a null name is of observations without a
-- model. Every observation counts, whether it has usage or not
select
    source.source_instance,
    cast({{ utc('source.day') }} as date) as usage_on,
    source.provided_model_name,
    source.observations_count,
    source.total_cost as reported_cost_usd,
    source.input_tokens as reported_input_tokens,
    source.output_tokens as reported_output_tokens,
    {{ utc('source.extracted_at') }} as loaded_at,
    source.load_id
from {{ newest_windows('langfuse', 'daily_metrics') }} as source
