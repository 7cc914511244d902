-- Row level security: who reads what.
--
-- Every table has row level security enabled where it is created, and what no policy opens stays
-- closed to everyone but the owner of the tables and roles with bypassrls. The replicator connects
-- as one of these.
--
-- Staff will see what belongs to their offices, through doctor_offices; those policies come with
-- that table. Patients will see their orders, payments and messages when the columns that are not
-- meant for them (prices of the laboratory, internal notes) are withheld by grants; a policy
-- alone cannot do that. Until then an account sees itself and its patients.
--
-- The account is the subject of the request's token. Supabase's auth.uid() reads the same setting;
-- it is read here directly so that the migrations apply to a PostgreSQL without the auth schema.
-- Without a token the subject is null and no row matches.

create policy profiles_own on public.profiles for select using (
  deleted_at is null
  and auth_user_id = (
    select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
  )
);

-- Says itself whose the profile must be: it may not widen when a later policy opens more profiles.
create policy patients_own on public.patients for select using (
  deleted_at is null
  and profile_id in (
    select owner.id
    from public.profiles as owner
    where owner.deleted_at is null
      and owner.auth_user_id = (
        select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
      )
  )
);
