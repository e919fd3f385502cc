DROP TABLE cache_epoch;
DROP TABLE users;
