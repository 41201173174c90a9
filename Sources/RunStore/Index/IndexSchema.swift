internal import GRDB

/// The tables of `index.sqlite`. Migrations are only ever appended.
enum IndexSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 runs, stages, scores") { db in try db.execute(sql: first) }
        return migrator
    }

    /// Configuration entries are by far the most numerous rows, so that they refer to runs and keys by number;
    /// protocols are long and few, so that they are stored once. The views `run_config` and `metrics` hide both.
    private static let first = """
        CREATE TABLE runs (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            sweep TEXT NOT NULL,
            cell TEXT NOT NULL,
            seed INTEGER NOT NULL,
            status TEXT NOT NULL,
            step INTEGER NOT NULL,
            steps INTEGER,
            message TEXT NOT NULL,
            wall_seconds REAL NOT NULL,
            created TEXT NOT NULL,
            updated TEXT NOT NULL,
            code_commit TEXT NOT NULL,
            code_changed INTEGER NOT NULL,
            host TEXT NOT NULL,
            seeds_json TEXT NOT NULL,
            machine_json TEXT NOT NULL
        );
        CREATE INDEX runs_by_sweep ON runs(sweep, cell, seed);
        CREATE INDEX runs_by_status ON runs(status);
        CREATE INDEX runs_by_created ON runs(created);

        CREATE TABLE config_keys (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
        CREATE TABLE config_values (
            run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
            key INTEGER NOT NULL REFERENCES config_keys(number),
            value,
            PRIMARY KEY (run, key)
        ) WITHOUT ROWID;
        CREATE INDEX config_values_by_key ON config_values(key, value, run);
        CREATE VIEW run_config(run_id, key, value_text, value_num) AS
            SELECT runs.id, config_keys.key,
                CASE WHEN typeof(value) = 'text' THEN value END,
                CASE WHEN typeof(value) IN ('integer', 'real') THEN value END
            FROM config_values JOIN runs ON runs.number = config_values.run
                JOIN config_keys ON config_keys.number = config_values.key;

        CREATE TABLE stages (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            status TEXT NOT NULL,
            dir TEXT NOT NULL,
            settings_json TEXT,
            summary_json TEXT,
            wall_seconds REAL,
            peak_memory_bytes INTEGER,
            started TEXT,
            finished TEXT,
            code_commit TEXT,
            code_changed INTEGER,
            host TEXT,
            machine_json TEXT
        ) WITHOUT ROWID;
        CREATE INDEX stages_by_kind ON stages(kind, status);
        CREATE TABLE stage_inputs (
            stage_id TEXT NOT NULL REFERENCES stages(id) ON DELETE CASCADE,
            role TEXT NOT NULL,
            input_id TEXT NOT NULL,
            PRIMARY KEY (stage_id, role)
        ) WITHOUT ROWID;
        CREATE INDEX stage_inputs_by_input ON stage_inputs(input_id, stage_id);
        CREATE TABLE run_stages (
            run_id TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
            role TEXT NOT NULL,
            stage_id TEXT NOT NULL,
            PRIMARY KEY (run_id, role)
        ) WITHOUT ROWID;
        CREATE INDEX run_stages_by_stage ON run_stages(stage_id, run_id);

        CREATE TABLE protocols (number INTEGER PRIMARY KEY, json TEXT NOT NULL UNIQUE);
        CREATE TABLE scores (
            stage_id TEXT NOT NULL REFERENCES stages(id) ON DELETE CASCADE,
            protocol_name TEXT NOT NULL,
            name TEXT NOT NULL,
            value REAL,
            protocol INTEGER NOT NULL REFERENCES protocols(number),
            PRIMARY KEY (stage_id, protocol_name, name)
        ) WITHOUT ROWID;
        CREATE INDEX scores_by_name ON scores(name, value, stage_id);
        CREATE VIEW metrics(run_id, role, name, value, stage_id, protocol_name, protocol_json) AS
            SELECT run_stages.run_id, run_stages.role, scores.name, scores.value, scores.stage_id,
                scores.protocol_name, protocols.json
            FROM scores JOIN run_stages ON run_stages.stage_id = scores.stage_id
                JOIN protocols ON protocols.number = scores.protocol;

        CREATE TABLE artifacts (
            run_id TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            kind TEXT NOT NULL,
            path TEXT NOT NULL,
            description TEXT NOT NULL,
            PRIMARY KEY (run_id, position)
        ) WITHOUT ROWID;
        CREATE TABLE tags (
            run_id TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
            tag TEXT NOT NULL,
            PRIMARY KEY (run_id, tag)
        ) WITHOUT ROWID;
        CREATE INDEX tags_by_tag ON tags(tag, run_id);
        CREATE TABLE notes (
            run_id TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            written TEXT NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (run_id, position)
        ) WITHOUT ROWID;

        -- One row once the index holds everything that was in the store when it was made.
        CREATE TABLE filled (at TEXT NOT NULL);
        """
}
