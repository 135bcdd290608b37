-- How a claim's quote stands in the paper: word for word, or but for signs of scanning.

ALTER TABLE claims ADD COLUMN match TEXT NOT NULL DEFAULT 'exact'
    CONSTRAINT claim_match CHECK (match IN ('exact', 'near'));
