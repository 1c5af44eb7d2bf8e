{{ helper_function('date_from, date_to, owners, teams, pipelines, include_subteams, bucket, cumulative') }}

select 'date_from and date_to must be local dates, such as date ''2026-04-01'': [date_from, date_to)' as problem
where try_cast(date_from as date) is null or try_cast(date_to as date) is null

union all

select 'date_to must not lie before date_from'
where try_cast(date_to as date) < try_cast(date_from as date)

union all

{{ wrong_value('bucket', [none, 'day', 'week', 'month', 'quarter', 'year']) }}

union all

{{ no_boolean('include_subteams') }}

union all

{{ no_boolean('cumulative') }}

union all

{{ wrong_names('owners', ref('dim_owners'), 'owner_id', 'owner_name') }}

union all

{{ wrong_names('teams', ref('dim_teams'), 'team_id', 'team_name') }}

union all

{{ wrong_names('pipelines', ref('dim_pipelines'), 'pipeline_id', 'pipeline_label') }}
