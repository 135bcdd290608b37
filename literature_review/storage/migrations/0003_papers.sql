-- By what a duplicate was recognised, and what of a paper's text gives orders to a model: as the report has them.

ALTER TABLE papers ADD COLUMN duplicate_by TEXT NOT NULL DEFAULT '';
ALTER TABLE papers ADD COLUMN suspicious TEXT NOT NULL DEFAULT '[]';
