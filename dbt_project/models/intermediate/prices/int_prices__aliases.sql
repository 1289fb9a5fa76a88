-- one row per model name that means another: as declared in config/prices.yaml, and as sources tell it of their own
with declared as (
    select * from {{ ref('stg_config__model_aliases') }}
),

profiles as (
    select * from {{ ref('stg_bedrock__inference_profiles') }}
    where model_id is not null
),

unioned as (
    select
        provider,
        model_raw,
        target_provider,
        target_model,
        valid_from_at,
        valid_to_at
    from declared
    union all
    -- What a person declares about a profile goes before what the profile says.
    select
        'aws_bedrock' as provider,
        profiles.profile_arn as model_raw,
        'aws_bedrock' as target_provider,
        max(profiles.model_id) as target_model,
        cast(null as timestamp) as valid_from_at,
        cast(null as timestamp) as valid_to_at
    from profiles
    left join declared
        on profiles.profile_arn = declared.model_raw
    where declared.model_raw is null
    group by profiles.profile_arn
)

select * from unioned
