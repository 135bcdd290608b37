-- The first shape of review.db. docs/database.md explains every column.
-- Foreign keys are checked when a transaction ends, so that a review can be written in any order.

CREATE TABLE documents (
    sha256 TEXT NOT NULL,
    reader TEXT NOT NULL,
    text   BLOB NOT NULL,
    PRIMARY KEY (sha256, reader)
);

CREATE TABLE stage_results (
    paper       TEXT NOT NULL,
    stage       TEXT NOT NULL,
    made_from   TEXT NOT NULL,
    status      TEXT NOT NULL CONSTRAINT stage_status CHECK (status IN ('completed', 'failed', 'skipped')),
    result      TEXT NOT NULL,
    error_type  TEXT NOT NULL DEFAULT '',
    finished_at TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (paper, stage)
);

CREATE TABLE runs (
    run_id       TEXT NOT NULL PRIMARY KEY,
    written_at   TEXT NOT NULL,
    protocol     TEXT NOT NULL,
    screening    TEXT NOT NULL,
    papers       INTEGER NOT NULL,
    claims       INTEGER NOT NULL,
    rows_changed INTEGER NOT NULL
);

CREATE TABLE questions (
    id       TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL,
    text     TEXT NOT NULL
);

CREATE TABLE requirements (
    id       TEXT NOT NULL PRIMARY KEY,
    question TEXT NOT NULL REFERENCES questions (id) DEFERRABLE INITIALLY DEFERRED,
    position INTEGER NOT NULL,
    text     TEXT NOT NULL
);
CREATE INDEX requirements_of_question ON requirements (question);

CREATE TABLE sub_requirements (
    id          TEXT NOT NULL PRIMARY KEY,
    requirement TEXT NOT NULL REFERENCES requirements (id) DEFERRABLE INITIALLY DEFERRED,
    position    INTEGER NOT NULL,
    text        TEXT NOT NULL,
    keywords    TEXT NOT NULL
);
CREATE INDEX sub_requirements_of_requirement ON sub_requirements (requirement);

CREATE TABLE papers (
    id                  TEXT NOT NULL PRIMARY KEY,
    sha256              TEXT NOT NULL,
    size                INTEGER NOT NULL,
    state               TEXT NOT NULL CONSTRAINT paper_state CHECK (
        state IN ('reviewed', 'excluded', 'unreadable', 'failed', 'duplicate', 'not_assessed')),
    title               TEXT NOT NULL,
    authors             TEXT NOT NULL,
    year                INTEGER,
    doi                 TEXT NOT NULL,
    language            TEXT NOT NULL,
    sources             TEXT NOT NULL,
    pages               INTEGER NOT NULL,
    characters          INTEGER NOT NULL,
    hidden              TEXT NOT NULL,
    error               TEXT NOT NULL,
    error_type          TEXT NOT NULL,
    duplicate_of        TEXT REFERENCES papers (id) DEFERRABLE INITIALLY DEFERRED,
    included            INTEGER NOT NULL CONSTRAINT included_or_not CHECK (included IN (0, 1)),
    screening_criterion TEXT NOT NULL,
    screening_reason    TEXT NOT NULL,
    screening_quote     TEXT NOT NULL,
    screening_page      INTEGER NOT NULL
);
CREATE INDEX papers_by_state ON papers (state);
CREATE INDEX papers_by_sha256 ON papers (sha256);
CREATE INDEX papers_by_doi ON papers (doi) WHERE doi <> '';
CREATE INDEX duplicates_of_paper ON papers (duplicate_of) WHERE duplicate_of IS NOT NULL;

CREATE TABLE related_papers (
    paper    TEXT NOT NULL REFERENCES papers (id) DEFERRABLE INITIALLY DEFERRED,
    related  TEXT NOT NULL REFERENCES papers (id) DEFERRABLE INITIALLY DEFERRED,
    relation TEXT NOT NULL,
    PRIMARY KEY (paper, related)
) WITHOUT ROWID;
CREATE INDEX related_papers_by_related ON related_papers (related);

CREATE TABLE claims (
    id              TEXT NOT NULL PRIMARY KEY,
    paper           TEXT NOT NULL REFERENCES papers (id) DEFERRABLE INITIALLY DEFERRED,
    sub_requirement TEXT NOT NULL REFERENCES sub_requirements (id) DEFERRABLE INITIALLY DEFERRED,
    quote           TEXT NOT NULL,
    page            INTEGER NOT NULL,
    section         TEXT NOT NULL,
    start           INTEGER NOT NULL,
    "end"           INTEGER NOT NULL,
    score           REAL NOT NULL,
    status          TEXT NOT NULL CONSTRAINT claim_status CHECK (status IN ('pending', 'approved', 'rejected')),
    reason          TEXT NOT NULL,
    backend         TEXT NOT NULL,
    model           TEXT NOT NULL,
    last_page       INTEGER NOT NULL,
    coverage        TEXT NOT NULL CONSTRAINT claim_coverage CHECK (coverage IN ('covered', 'partial')),
    scores          TEXT NOT NULL,
    direction       TEXT NOT NULL,
    appeal_of       TEXT NOT NULL
);
CREATE INDEX claims_of_paper ON claims (paper);
CREATE INDEX claims_of_sub_requirement ON claims (sub_requirement, status);

CREATE TABLE passages (
    paper           TEXT NOT NULL REFERENCES papers (id) DEFERRABLE INITIALLY DEFERRED,
    sub_requirement TEXT NOT NULL REFERENCES sub_requirements (id) DEFERRABLE INITIALLY DEFERRED,
    position        INTEGER NOT NULL,
    quote           TEXT NOT NULL,
    page            INTEGER NOT NULL,
    section         TEXT NOT NULL,
    start           INTEGER NOT NULL,
    "end"           INTEGER NOT NULL,
    score           REAL NOT NULL,
    reason          TEXT NOT NULL,
    PRIMARY KEY (paper, sub_requirement, position)
);
CREATE INDEX passages_of_sub_requirement ON passages (sub_requirement, score);

CREATE TABLE coverage (
    paper           TEXT NOT NULL REFERENCES papers (id) DEFERRABLE INITIALLY DEFERRED,
    sub_requirement TEXT NOT NULL REFERENCES sub_requirements (id) DEFERRABLE INITIALLY DEFERRED,
    score           REAL NOT NULL,
    PRIMARY KEY (paper, sub_requirement)
) WITHOUT ROWID;
CREATE INDEX coverage_of_sub_requirement ON coverage (sub_requirement, score);

CREATE VIEW approved_claims AS
SELECT questions.text AS question, requirements.text AS requirement, sub_requirements.id AS sub_requirement,
       sub_requirements.text AS sub_requirement_text, papers.id AS paper, papers.title, papers.year, papers.doi,
       claims.quote, claims.page, claims.section, claims.score, claims.coverage, claims.direction, claims.reason,
       claims.id AS claim
FROM claims
JOIN papers ON papers.id = claims.paper
JOIN sub_requirements ON sub_requirements.id = claims.sub_requirement
JOIN requirements ON requirements.id = sub_requirements.requirement
JOIN questions ON questions.id = requirements.question
WHERE claims.status = 'approved' AND papers.state = 'reviewed'
ORDER BY questions.position, requirements.position, sub_requirements.position, claims.score DESC, claims.id;

CREATE VIEW sub_requirement_status AS
SELECT questions.text AS question, requirements.text AS requirement, sub_requirements.id AS sub_requirement,
       sub_requirements.text AS sub_requirement_text,
       CASE WHEN COUNT(CASE WHEN claims.status = 'approved' AND claims.coverage = 'covered' THEN 1 END) > 0
                THEN 'covered'
            WHEN COUNT(CASE WHEN claims.status = 'approved' THEN 1 END) > 0 THEN 'partial'
            ELSE 'gap' END AS status,
       COUNT(DISTINCT CASE WHEN claims.status = 'approved' THEN claims.paper END) AS papers,
       COUNT(CASE WHEN claims.status = 'approved' THEN 1 END) AS approved,
       COUNT(CASE WHEN claims.status = 'rejected' THEN 1 END) AS rejected,
       COUNT(CASE WHEN claims.status = 'pending' THEN 1 END) AS pending
FROM sub_requirements
JOIN requirements ON requirements.id = sub_requirements.requirement
JOIN questions ON questions.id = requirements.question
LEFT JOIN claims ON claims.sub_requirement = sub_requirements.id
    AND claims.paper IN (SELECT id FROM papers WHERE state = 'reviewed')
GROUP BY sub_requirements.id
ORDER BY questions.position, requirements.position, sub_requirements.position;

CREATE VIEW gaps AS
SELECT gap.question, gap.requirement, gap.sub_requirement, gap.sub_requirement_text, gap.rejected, gap.pending,
       nearest.paper AS nearest_paper, nearest.quote AS nearest_quote, nearest.page AS nearest_page,
       nearest.score AS nearest_score, nearest.reason AS nearest_reason,
       (SELECT COUNT(*) FROM papers WHERE state = 'reviewed') AS papers_reviewed,
       (SELECT COUNT(*) FROM papers WHERE state IN ('unreadable', 'failed', 'not_assessed')) AS papers_not_assessed
FROM sub_requirement_status AS gap
LEFT JOIN passages AS nearest ON nearest.rowid = (
    SELECT rowid FROM passages WHERE sub_requirement = gap.sub_requirement
    ORDER BY score DESC, paper, start LIMIT 1)
WHERE gap.status = 'gap';

CREATE VIEW papers_not_assessed AS
SELECT id, state, error_type, error, title FROM papers
WHERE state IN ('unreadable', 'failed', 'not_assessed') ORDER BY id;
