DELETE FROM jobs WHERE kind = 'refresh_calendar';
DROP TABLE calendar_months;
DROP TABLE calendars;
ALTER TABLE users DROP COLUMN overrides;
