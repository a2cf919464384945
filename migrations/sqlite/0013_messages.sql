-- How many entries of the record are of messages on their way. A plan that keeps in mind whom the
-- last one was about goes by how many others there are.
ALTER TABLE audit_head ADD COLUMN messages integer NOT NULL DEFAULT 0;
