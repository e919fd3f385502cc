DROP TABLE secrets;
DROP TABLE idempotency;
DROP TABLE outbox;
DROP TABLE deliveries;
DROP TABLE jobs;
DROP TABLE busy;
DROP TABLE attendees;
DROP TABLE meetings;
