DROP INDEX deliveries_by_target;
DROP TABLE api_keys;
DROP TABLE codes;
