-- one row per grant moved by one line: a grant, an expiry, an hour's use of a member, and so on
{{ config(tags=['ops']) }}
with postings as (
    select * from {{ ref('stg_ops__wallet_postings') }}
),

books as (
    select * from {{ ref('int_closing__books') }}
)

select
    postings.posting_id,
    postings.line_id,
    postings.posting_kind,
    postings.wallet_id,
    postings.grant_id,
    postings.member_key,
    postings.home_wallet_id,
    postings.wallet_chain,
    postings.period,
    postings.corrected_period,
    coalesce(
        postings.period <= substr(cast(books.last_closed_on as {{ dbt.type_string() }}), 1, 7), false
    ) as is_settled,

    {{ money('postings.balance_change_usd') }} as balance_change_usd,
    {{ money('postings.line_part_usd') }} as line_part_usd,
    {{ money('postings.line_total_usd') }} as line_total_usd,
    cast(postings.priority as bigint) as priority,
    postings.category,

    postings.occurred_at,
    postings.ended_at,
    postings.expires_at
from postings
cross join books
