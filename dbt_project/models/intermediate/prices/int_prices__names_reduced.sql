-- one row per raw (provider, model name) seen in usage, with what listed prefixes leave of the name
with models_seen as (
    select * from {{ ref('int_usage__models_seen') }}
),

provider_names as (
    select * from {{ ref('stg_price_catalog__provider_names') }}
),

-- The served model is what is paid for; the requested one stands in where the source does not say.
names as (
    select
        coalesce(provider, '') as provider,
        coalesce(model_served, model_requested, '') as model_name
    from models_seen
    group by coalesce(provider, ''), coalesce(model_served, model_requested, '')
),

canonical as (
    select
        names.provider,
        names.model_name,
        coalesce(
            provider_names.provider,
            case
                when lower(trim(names.provider)) like 'vertex!_ai-%' escape '!' then 'vertex_ai'
                else lower(trim(names.provider))
            end
        ) as canonical_provider
    from names
    left join provider_names
        on lower(trim(names.provider)) = provider_names.provider_raw
),

-- What comes off is an explicit list: gateway routes, Bedrock ARNs (but not application profiles), the organisation
-- part of a fine-tune, and OpenRouter's ways to send a request (but not `:free`, which has a price of its own).
unrouted as (
    select
        *,
        case
            when model_name like 'ft:%'
                then concat(split_part(model_name, ':', 1), ':', split_part(model_name, ':', 2))
            when canonical_provider = 'aws_bedrock'
                then regexp_replace(
                    regexp_replace(
                        model_name,
                        '^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:[0-9]*:(foundation-model|inference-profile)/',
                        ''
                    ),
                    '^(bedrock/)?(converse/|invoke/)?',
                    ''
                )
            when canonical_provider = 'openrouter'
                then regexp_replace(
                    regexp_replace(model_name, '^openrouter/', ''), ':(nitro|floor|thinking)$', ''
                )
            when left(model_name, length(canonical_provider) + 1) = concat(canonical_provider, '/')
                then substr(model_name, length(canonical_provider) + 2)
            else model_name
        end as unrouted_name
    from canonical
),

based as (
    select
        *,
        case
            when canonical_provider = 'aws_bedrock'
                then regexp_replace(
                    unrouted_name, '^(us-gov|global|apac|us|eu|jp|au|ca)[.]', ''
                )
            else unrouted_name
        end as based_name
    from unrouted
)

select
    provider,
    model_name,
    canonical_provider,
    unrouted_name,
    based_name,
    case
        when based_name <> unrouted_name
            then left(unrouted_name, length(unrouted_name) - length(based_name) - 1)
    end as region_extract
from based
