-- The tables of Chatwoot 4.14.2 that the fake reads or writes, with the columns, defaults and triggers that a client or
-- an operator meets. Written for the fake; used where the real schema is absent.

CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
CREATE TABLE ar_internal_metadata (
  key varchar PRIMARY KEY, value varchar, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

CREATE TABLE installation_configs (
  id bigserial PRIMARY KEY, name varchar NOT NULL UNIQUE, serialized_value jsonb NOT NULL DEFAULT '{}',
  locked boolean NOT NULL DEFAULT true, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

CREATE TABLE accounts (
  id serial PRIMARY KEY, name varchar NOT NULL, locale integer DEFAULT 0, domain varchar(100), support_email varchar(100),
  feature_flags bigint NOT NULL DEFAULT 0, auto_resolve_duration integer, limits jsonb DEFAULT '{}',
  custom_attributes jsonb DEFAULT '{}', status integer DEFAULT 0, internal_attributes jsonb NOT NULL DEFAULT '{}',
  settings jsonb DEFAULT '{}', created_at timestamp NOT NULL, updated_at timestamp NOT NULL);

CREATE TABLE users (
  id serial PRIMARY KEY, provider varchar NOT NULL DEFAULT 'email', uid varchar NOT NULL DEFAULT '',
  encrypted_password varchar NOT NULL DEFAULT '', reset_password_token varchar UNIQUE, reset_password_sent_at timestamp,
  remember_created_at timestamp, sign_in_count integer NOT NULL DEFAULT 0, current_sign_in_at timestamp,
  last_sign_in_at timestamp, current_sign_in_ip varchar, last_sign_in_ip varchar, confirmation_token varchar,
  confirmed_at timestamp, confirmation_sent_at timestamp, unconfirmed_email varchar, name varchar NOT NULL,
  display_name varchar, email varchar, tokens json, pubsub_token varchar UNIQUE, availability integer DEFAULT 0,
  ui_settings jsonb DEFAULT '{}', custom_attributes jsonb DEFAULT '{}', type varchar, message_signature text,
  otp_secret varchar UNIQUE, consumed_timestep integer, otp_required_for_login boolean DEFAULT false,
  otp_backup_codes text, created_at timestamp NOT NULL, updated_at timestamp NOT NULL, UNIQUE (uid, provider));

CREATE TABLE account_users (
  id bigserial PRIMARY KEY, account_id bigint, user_id bigint, role integer DEFAULT 0, inviter_id bigint,
  active_at timestamp, availability integer NOT NULL DEFAULT 0, auto_offline boolean NOT NULL DEFAULT true,
  custom_role_id bigint, agent_capacity_policy_id bigint, created_at timestamp(6) NOT NULL,
  updated_at timestamp(6) NOT NULL, UNIQUE (account_id, user_id));

CREATE TABLE access_tokens (
  id bigserial PRIMARY KEY, owner_type varchar, owner_id bigint, token varchar UNIQUE,
  created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

CREATE TABLE notification_settings (
  id bigserial PRIMARY KEY, account_id integer, user_id integer, email_flags integer NOT NULL DEFAULT 0,
  push_flags integer NOT NULL DEFAULT 0, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL,
  UNIQUE (account_id, user_id));

CREATE TABLE platform_apps (
  id bigserial PRIMARY KEY, name varchar NOT NULL, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

CREATE TABLE agent_bots (
  id bigserial PRIMARY KEY, name varchar, description varchar, outgoing_url varchar, account_id bigint,
  bot_type integer DEFAULT 0, bot_config jsonb DEFAULT '{}', secret varchar, created_at timestamp(6) NOT NULL,
  updated_at timestamp(6) NOT NULL);

CREATE TABLE integrations_hooks (
  id bigserial PRIMARY KEY, status integer DEFAULT 1, inbox_id integer, account_id integer, app_id varchar,
  hook_type integer DEFAULT 0, reference_id varchar, access_token varchar, settings jsonb DEFAULT '{}',
  created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

CREATE TABLE channel_api (
  id bigserial PRIMARY KEY, account_id integer NOT NULL, webhook_url varchar, identifier varchar UNIQUE,
  hmac_token varchar UNIQUE, hmac_mandatory boolean DEFAULT false, additional_attributes jsonb DEFAULT '{}',
  secret varchar, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

CREATE TABLE channel_twilio_sms (
  id bigserial PRIMARY KEY, phone_number varchar, auth_token varchar NOT NULL, account_sid varchar NOT NULL,
  account_id integer NOT NULL, medium integer DEFAULT 0, messaging_service_sid varchar, api_key_sid varchar,
  content_templates jsonb DEFAULT '{}', content_templates_last_updated timestamp(6),
  voice_enabled boolean NOT NULL DEFAULT false, twiml_app_sid varchar, api_key_secret varchar,
  created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

CREATE TABLE categories (
  id bigserial PRIMARY KEY, account_id integer NOT NULL, portal_id integer NOT NULL, name varchar, description text,
  position integer, locale varchar DEFAULT 'en', slug varchar NOT NULL, parent_category_id bigint,
  associated_category_id bigint, icon varchar DEFAULT '', created_at timestamp(6) NOT NULL,
  updated_at timestamp(6) NOT NULL);

CREATE TABLE inboxes (
  id serial PRIMARY KEY, channel_id integer NOT NULL, account_id integer NOT NULL, name varchar NOT NULL,
  channel_type varchar, enable_auto_assignment boolean DEFAULT true, greeting_enabled boolean DEFAULT false,
  greeting_message varchar, email_address varchar, working_hours_enabled boolean DEFAULT false,
  out_of_office_message varchar, timezone varchar DEFAULT 'UTC', enable_email_collect boolean DEFAULT true,
  csat_survey_enabled boolean DEFAULT false, allow_messages_after_resolved boolean DEFAULT true,
  auto_assignment_config jsonb DEFAULT '{}', lock_to_single_conversation boolean NOT NULL DEFAULT false,
  portal_id bigint, sender_name_type integer NOT NULL DEFAULT 0, business_name varchar,
  csat_config jsonb NOT NULL DEFAULT '{}', created_at timestamp NOT NULL, updated_at timestamp NOT NULL);

CREATE TABLE working_hours (
  id bigserial PRIMARY KEY, inbox_id bigint, account_id bigint, day_of_week integer NOT NULL,
  closed_all_day boolean DEFAULT false, open_hour integer, open_minutes integer, close_hour integer,
  close_minutes integer, open_all_day boolean DEFAULT false, created_at timestamp(6) NOT NULL,
  updated_at timestamp(6) NOT NULL);

CREATE TABLE inbox_members (
  id serial PRIMARY KEY, user_id integer NOT NULL, inbox_id integer NOT NULL, created_at timestamp NOT NULL,
  updated_at timestamp NOT NULL, UNIQUE (inbox_id, user_id));

CREATE TABLE teams (
  id bigserial PRIMARY KEY, name varchar NOT NULL, description text, allow_auto_assign boolean DEFAULT true,
  account_id bigint NOT NULL, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL,
  UNIQUE (name, account_id));

CREATE TABLE team_members (
  id bigserial PRIMARY KEY, team_id bigint NOT NULL, user_id bigint NOT NULL, created_at timestamp(6) NOT NULL,
  updated_at timestamp(6) NOT NULL, UNIQUE (team_id, user_id));

CREATE TABLE labels (
  id bigserial PRIMARY KEY, title varchar, description text, color varchar NOT NULL DEFAULT '#1f93ff',
  show_on_sidebar boolean, account_id bigint, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL,
  UNIQUE (title, account_id));

CREATE TABLE tags (id serial PRIMARY KEY, name varchar UNIQUE, taggings_count integer DEFAULT 0);
CREATE TABLE taggings (
  id serial PRIMARY KEY, tag_id integer, taggable_type varchar, taggable_id integer, tagger_type varchar,
  tagger_id integer, context varchar(128), created_at timestamp,
  UNIQUE (tag_id, taggable_id, taggable_type, context, tagger_id, tagger_type));

CREATE TABLE contacts (
  id serial PRIMARY KEY, name varchar DEFAULT '', email varchar, phone_number varchar, account_id integer NOT NULL,
  additional_attributes jsonb DEFAULT '{}', identifier varchar, custom_attributes jsonb DEFAULT '{}',
  last_activity_at timestamp, contact_type integer DEFAULT 0, middle_name varchar DEFAULT '',
  last_name varchar DEFAULT '', location varchar DEFAULT '', country_code varchar DEFAULT '',
  blocked boolean NOT NULL DEFAULT false, company_id bigint, created_at timestamp NOT NULL, updated_at timestamp NOT NULL,
  UNIQUE (email, account_id), UNIQUE (identifier, account_id));
CREATE INDEX index_contacts_trgm ON contacts USING gin (name gin_trgm_ops);

CREATE TABLE contact_inboxes (
  id bigserial PRIMARY KEY, contact_id bigint, inbox_id bigint, source_id text NOT NULL,
  hmac_verified boolean DEFAULT false, pubsub_token varchar UNIQUE, created_at timestamp(6) NOT NULL,
  updated_at timestamp(6) NOT NULL, UNIQUE (inbox_id, source_id));

CREATE TABLE conversations (
  id serial PRIMARY KEY, account_id integer NOT NULL, inbox_id integer NOT NULL, status integer NOT NULL DEFAULT 0,
  assignee_id integer, contact_id bigint, display_id integer NOT NULL, contact_last_seen_at timestamp,
  agent_last_seen_at timestamp, additional_attributes jsonb DEFAULT '{}', contact_inbox_id bigint,
  uuid uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE, identifier varchar,
  last_activity_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, team_id bigint, campaign_id bigint,
  snoozed_until timestamp, custom_attributes jsonb DEFAULT '{}', assignee_last_seen_at timestamp,
  first_reply_created_at timestamp, priority integer, sla_policy_id bigint, waiting_since timestamp(6),
  cached_label_list text, assignee_agent_bot_id bigint, created_at timestamp NOT NULL, updated_at timestamp NOT NULL,
  UNIQUE (account_id, display_id));

CREATE TABLE messages (
  id serial PRIMARY KEY, content text, account_id integer NOT NULL, inbox_id integer NOT NULL,
  conversation_id integer NOT NULL, message_type integer NOT NULL, private boolean NOT NULL DEFAULT false,
  status integer DEFAULT 0, source_id text, content_type integer NOT NULL DEFAULT 0,
  content_attributes json DEFAULT '{}', sender_type varchar, sender_id bigint, external_source_ids jsonb DEFAULT '{}',
  additional_attributes jsonb DEFAULT '{}', processed_message_content text, sentiment jsonb DEFAULT '{}',
  created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE INDEX index_messages_on_conversation ON messages (conversation_id, created_at);

CREATE TABLE attachments (
  id serial PRIMARY KEY, file_type integer DEFAULT 0, external_url varchar, coordinates_lat double precision DEFAULT 0.0,
  coordinates_long double precision DEFAULT 0.0, message_id integer NOT NULL, account_id integer NOT NULL,
  fallback_title varchar, extension varchar, meta jsonb DEFAULT '{}', created_at timestamp NOT NULL,
  updated_at timestamp NOT NULL);

CREATE TABLE active_storage_blobs (
  id bigserial PRIMARY KEY, key varchar NOT NULL UNIQUE, filename varchar NOT NULL, content_type varchar, metadata text,
  byte_size bigint NOT NULL, checksum varchar, created_at timestamp NOT NULL, service_name varchar NOT NULL);

CREATE TABLE active_storage_attachments (
  id bigserial PRIMARY KEY, name varchar NOT NULL, record_type varchar NOT NULL, record_id bigint NOT NULL,
  blob_id bigint NOT NULL REFERENCES active_storage_blobs, created_at timestamp NOT NULL,
  UNIQUE (record_type, record_id, name, blob_id));

CREATE TABLE active_storage_variant_records (
  id bigserial PRIMARY KEY, blob_id bigint NOT NULL REFERENCES active_storage_blobs, variation_digest varchar NOT NULL);

CREATE TABLE webhooks (
  id bigserial PRIMARY KEY, account_id integer, inbox_id integer, url text, webhook_type integer DEFAULT 0,
  subscriptions jsonb DEFAULT '["conversation_status_changed", "conversation_updated", "conversation_created",
    "contact_created", "contact_updated", "message_created", "message_updated", "webwidget_triggered"]',
  name varchar, secret varchar, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL,
  UNIQUE (account_id, url));

CREATE TABLE campaigns (
  id bigserial PRIMARY KEY, display_id integer NOT NULL, title varchar NOT NULL, message text NOT NULL,
  account_id bigint NOT NULL, inbox_id bigint NOT NULL, enabled boolean DEFAULT true,
  created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

CREATE TABLE custom_attribute_definitions (
  id bigserial PRIMARY KEY, attribute_display_name varchar, attribute_key varchar,
  attribute_display_type integer DEFAULT 0, default_value integer, attribute_model integer DEFAULT 0,
  account_id bigint, attribute_description text, attribute_values jsonb DEFAULT '[]', regex_pattern varchar,
  regex_cue varchar, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);

-- One number sequence for the conversations of each account, made when the account is (facts 1.3, Triggers).
CREATE FUNCTION number_conversations_of_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE SEQUENCE IF NOT EXISTS conv_dpid_seq_%s', NEW.id);
  RETURN NULL;
END $$;
CREATE FUNCTION number_campaigns_of_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE SEQUENCE IF NOT EXISTS camp_dpid_seq_%s', NEW.id);
  RETURN NULL;
END $$;
CREATE FUNCTION number_conversation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.display_id := nextval('conv_dpid_seq_' || NEW.account_id);
  RETURN NEW;
END $$;
CREATE FUNCTION number_campaign() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.display_id := nextval('camp_dpid_seq_' || NEW.account_id);
  RETURN NEW;
END $$;
CREATE TRIGGER accounts_after_insert_row_tr AFTER INSERT ON accounts
  FOR EACH ROW EXECUTE FUNCTION number_conversations_of_account();
CREATE TRIGGER camp_dpid_before_insert AFTER INSERT ON accounts
  FOR EACH ROW EXECUTE FUNCTION number_campaigns_of_account();
CREATE TRIGGER conversations_before_insert_row_tr BEFORE INSERT ON conversations
  FOR EACH ROW EXECUTE FUNCTION number_conversation();
CREATE TRIGGER campaigns_before_insert_row_tr BEFORE INSERT ON campaigns
  FOR EACH ROW EXECUTE FUNCTION number_campaign();
