-- When the time to come back was over for whoever lost the connection: it is recorded once.
ALTER TABLE removals ADD COLUMN lost_at timestamptz;
