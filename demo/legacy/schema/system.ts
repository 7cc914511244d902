import { table, type LegacyTable } from './definition.ts';

/** Messaging, audit, compute nodes, settings, the framework and its add-ons. */
export const SYSTEM: readonly LegacyTable[] = [
  table(
    'dispatch_notification',
    `created_at timestamptz
     sender varchar(255)
     template_name varchar(255)
     template_context text null
     read boolean
     item_id integer null
     item_type_id integer null -> django_content_type
     recipient_id integer -> auth_user
     sent boolean null
     send boolean`,
  ),
  table(
    'dispatch_action',
    `action varchar(255) null
     date timestamptz
     item_id integer null
     data text null
     owner_id integer null
     item_type_id integer null -> django_content_type
     owner_type_id integer null -> django_content_type
     user_id integer null -> auth_user`,
  ),
  table(
    'dispatch_reading',
    `user_id integer -> auth_user
     type integer null
     target_id integer null
     read_at timestamptz null`,
  ),
  table(
    'dispatch_link',
    `item_type_id integer null -> django_content_type
     item_id integer null
     external_id varchar(255) null
     system varchar(255) null
     created timestamptz null
     modified timestamptz null`,
  ),
  table(
    'dispatch_agent',
    `name varchar(255) null
     address varchar(255) null
     port integer null
     cpu integer null
     memory bigint null
     memory_used bigint null`,
  ),
  table(
    'dispatch_instance',
    `project_id integer -> dispatch_project
     agent_id integer null -> dispatch_agent
     opener_id integer null -> auth_user
     port integer null
     queue integer null
     run_at timestamptz null`,
  ),
  table(
    'dispatch_storage',
    `name varchar(255) null
     address varchar(255) null
     port integer null
     disk_total bigint null
     disk_free bigint null`,
  ),
  table(
    'dispatch_globalsetting',
    `version integer
     reset_discount_date date null
     support_email varchar(254) null
     sandbox boolean null
     application_id varchar(255) null
     location_id varchar(255) null
     access_token varchar(255) null`,
  ),
  table(
    'django_content_type',
    `app_label varchar(100)
     model varchar(100)
     unique (app_label, model)`,
  ),
  table('django_migrations', 'app varchar(255)\n name varchar(255)\n applied timestamptz'),
  table(
    'django_admin_log',
    `action_time timestamptz
     object_id text null
     object_repr varchar(200)
     action_flag smallint
     change_message text
     content_type_id integer null -> django_content_type
     user_id integer -> auth_user`,
  ),
  table(
    'django_session',
    `key: session_key varchar(40)
     session_data text
     expire_date timestamptz`,
  ),
  table(
    'account_emailaddress',
    `email varchar(254) unique
     verified boolean
     primary boolean
     user_id integer -> auth_user`,
  ),
  table(
    'account_emailconfirmation',
    `created timestamptz
     sent timestamptz null
     key varchar(64) unique
     email_address_id integer -> account_emailaddress`,
  ),
  table(
    'otp_email_emaildevice',
    `name varchar(64)
     confirmed boolean
     key varchar(80)
     user_id integer -> auth_user`,
  ),
];
