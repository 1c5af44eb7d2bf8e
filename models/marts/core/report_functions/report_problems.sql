{{ helper_function('date_from, date_to, bucket, owners, teams, pipelines') }}

select 'date_from and date_to are both needed, as local dates: [date_from, date_to)' as problem
where date_from is null or date_to is null

union all

select 'date_to must not lie before date_from'
where cast(date_to as date) < cast(date_from as date)

union all

{{ wrong_value('bucket', [none, 'day', 'week', 'month', 'quarter', 'year']) }}

union all

-- Buckets come from the calendar table; without a bucket any dates will do.
select 'with a bucket, the range must lie between ' || min(date_day) || ' and ' || max(date_day)
from {{ ref('dim_dates') }}
having bucket is not null
    and (cast(date_from as date) < min(date_day) or cast(date_to as date) > max(date_day) + 1)

union all

{{ wrong_names('owners', ref('dim_owners'), 'owner_id', 'owner_name') }}

union all

{{ wrong_names('teams', ref('dim_teams'), 'team_id', 'team_name') }}

union all

{{ wrong_names('pipelines', ref('dim_pipelines'), 'pipeline_id', 'pipeline_label') }}
