{# The part of an amount that falls to one key, of keys in an order: the one place where money is divided (DESIGN D14).
   Rounding is cumulative: a part is what the amount reaches with the key less what it reached before it, so that the
   parts of all keys are the amount to its last digit and the last key takes the residual.

   amount:  decimal(38,15), of either sign
   weight:  of the key: a whole number, not negative
   reached: weights of the keys up to and with this one
   whole:   weights of all keys, below 1e19; null or zero gives null, for nothing says whose the amount is #}
{% macro allocate_usd(amount, weight, reached, whole) -%}
    {{ return(adapter.dispatch('allocate_usd')(amount, weight, reached, whole)) }}
{%- endmacro %}

{% macro default__allocate_usd(amount, weight, reached, whole) -%}
    {%- set units -%}
    (
        cast(floor(abs({{ amount }})) as hugeint) * 1000000000000000
        + cast(
            cast(abs({{ amount }}) - floor(abs({{ amount }})) as decimal(16, 15))
            * cast(1000000000000000 as decimal(19, 0)) as hugeint
        )
    )
    {%- endset -%}
    {%- set whole_units -%}cast(nullif({{ whole }}, 0) as hugeint){%- endset -%}
    {#- units * reached can have 57 digits; of the division with remainder each step fits 38. -#}
    {%- set rest -%}({{ units }} % {{ whole_units }}){%- endset -%}
    cast(
        case when {{ amount }} < 0 then -1 else 1 end
        * cast(
            ({{ units }} // {{ whole_units }}) * cast({{ weight }} as hugeint)
            + ({{ rest }} * cast({{ reached }} as hugeint)) // {{ whole_units }}
            - ({{ rest }} * (cast({{ reached }} as hugeint) - cast({{ weight }} as hugeint))) // {{ whole_units }}
            as decimal(38, 0)
        )
        * 0.000000000000001
        as decimal(38, 15)
    )
{%- endmacro %}

{# The same over rows: each row's part of the amount of its `whole_by`, in the order of `part_by` (unique within it).
   Where all weights are zero the parts are equal. #}
{% macro allocate_usd_over(amount, weight, whole_by, part_by) -%}
    {%- set partition = 'partition by ' ~ (whole_by | join(', ')) -%}
    {%- set running = '(' ~ partition ~ ' order by ' ~ (part_by | join(', '))
        ~ ' rows between unbounded preceding and current row)' -%}
    {%- set is_empty = 'sum(' ~ weight ~ ') over (' ~ partition ~ ') = 0' -%}
    case
        when {{ is_empty }}
            then {{ allocate_usd(amount, '1', 'count(*) over ' ~ running, 'count(*) over (' ~ partition ~ ')') }}
        else
            {{ allocate_usd(
                amount, weight, 'sum(' ~ weight ~ ') over ' ~ running, 'sum(' ~ weight ~ ') over (' ~ partition ~ ')'
            ) }}
    end
{%- endmacro %}

{# Dollars as a weight: whole billionths, below zero is none. #}
{% macro usd_weight(column) -%}
    cast(
        cast(greatest({{ column }}, 0) as decimal(28, 9)) * cast(1000000000 as decimal(10, 0)) as hugeint
    )
{%- endmacro %}
