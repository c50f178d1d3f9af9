-- Sensitive words, and whether messages are held against them.
CREATE TABLE words (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id INTEGER NOT NULL,
    word TEXT NOT NULL,
    ctime INTEGER NOT NULL,
    UNIQUE (app_id, word)
);
ALTER TABLE apps ADD COLUMN word_filter INTEGER NOT NULL DEFAULT 0;
