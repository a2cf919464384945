-- Prompts are found by what they are about and by their ids. An index over their states lured
-- PostgreSQL into looking a handful of rows up among all that ever had such a state.
DROP INDEX prompts_state;
-- For finding what workers left behind that are gone.
CREATE INDEX prompts_in_hand ON prompts (lease_until) WHERE lease_until IS NOT NULL;
-- Few messages have a name from the other side.
DROP INDEX prompts_reference;
CREATE INDEX prompts_reference ON prompts (reference) WHERE reference IS NOT NULL;
-- A row is written three times until its message is sent, and comes back hardly ever.
DROP INDEX prompts_sent_at;
CREATE INDEX prompts_sent_at ON prompts (sent_at) WHERE sent_at IS NOT NULL;
DROP INDEX prompts_bounced_at;
CREATE INDEX prompts_bounced_at ON prompts (bounced_at) WHERE bounced_at IS NOT NULL;
