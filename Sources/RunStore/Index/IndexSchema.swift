internal import GRDB

/// The tables of `index.sqlite`. Migrations are only ever appended.
enum IndexSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 runs, stages, scores") { db in try db.execute(sql: first) }
        migrator.registerMigration("2 configurations by section, values by run") { db in
            try db.execute(sql: second)
            try db.execute(sql: "DELETE FROM filled")
        }
        migrator.registerMigration("3 machines once, stages in the order they come") { db in
            try db.execute(sql: third)
            try db.execute(sql: "DELETE FROM filled")
        }
        migrator.registerMigration("4 states of sweeps without reading their runs") { db in
            try db.execute(sql: "CREATE INDEX runs_by_sweep_and_state ON runs(sweep, status, created, updated)")
        }
        return migrator
    }

    /// Everything is made from the store's files again after this one, so that it may drop what it replaces.
    ///
    /// - What is known of a machine is long and the same for thousands of stages.
    /// - Ids of stages are random. In a table ordered by them, each of 100 000 stages would go to a page of its own;
    ///   rows in the order they come fill one page after the other, and only their ids go to random places.
    private static let third = """
        CREATE TABLE machines (number INTEGER PRIMARY KEY, json TEXT NOT NULL UNIQUE);
        ALTER TABLE runs DROP COLUMN machine_json;
        ALTER TABLE runs ADD COLUMN machine INTEGER;
        DELETE FROM scores;
        DELETE FROM stage_inputs;
        DROP TABLE stages;
        CREATE TABLE stages (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
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
            machine INTEGER REFERENCES machines(number)
        );
        CREATE INDEX stages_by_kind ON stages(kind, status);
        """

    /// Everything is made from the store's files again after this one, so that it may drop what it replaces.
    ///
    /// - A configuration is stored by its sections (`tokenizer`, `prior`, …), each once for all runs that share it:
    ///   100 000 runs have some 10 million settings but few different sections.
    /// - Runs are referred to by number: their ids are long.
    /// - `run_values` says again, by metric and run, what `scores` says by stage, because conditions on scores and
    ///   orders by them are what people ask for most. Of several values of one name it has the first by protocol
    ///   name and role.
    private static let second = """
        DROP VIEW run_config;
        DROP VIEW metrics;
        DROP TABLE config_values;
        DROP TABLE config_keys;
        DROP TABLE run_stages;

        DROP INDEX runs_by_status;
        DROP INDEX runs_by_created;
        CREATE INDEX runs_by_status ON runs(status, created DESC, id);
        CREATE INDEX runs_by_created ON runs(created DESC, id);
        CREATE INDEX runs_by_sweep_and_date ON runs(sweep, created DESC, id);

        CREATE TABLE config_keys (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
        CREATE TABLE config_sections (number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE);
        CREATE TABLE config_values (
            key INTEGER NOT NULL REFERENCES config_keys(number),
            section INTEGER NOT NULL REFERENCES config_sections(number),
            value,
            PRIMARY KEY (key, section)
        ) WITHOUT ROWID;
        CREATE INDEX config_values_by_section ON config_values(section, key, value);
        -- `name` is the number of the section's name among the keys.
        CREATE TABLE run_sections (
            name INTEGER NOT NULL REFERENCES config_keys(number),
            run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
            section INTEGER NOT NULL REFERENCES config_sections(number),
            PRIMARY KEY (name, run)
        ) WITHOUT ROWID;
        CREATE INDEX run_sections_by_run ON run_sections(run, section);
        CREATE INDEX run_sections_by_section ON run_sections(section, run);
        CREATE VIEW run_config(run_id, key, value_text, value_num) AS
            SELECT runs.id, config_keys.key,
                CASE WHEN typeof(value) = 'text' THEN value END,
                CASE WHEN typeof(value) IN ('integer', 'real') THEN value END
            FROM run_sections JOIN runs ON runs.number = run_sections.run
                JOIN config_values ON config_values.section = run_sections.section
                JOIN config_keys ON config_keys.number = config_values.key;

        CREATE TABLE run_parts (
            run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
            role TEXT NOT NULL,
            stage_id TEXT NOT NULL,
            PRIMARY KEY (run, role)
        ) WITHOUT ROWID;
        CREATE INDEX run_parts_by_stage ON run_parts(stage_id, run, role);
        CREATE TABLE run_roles (role TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE VIEW run_stages(run_id, role, stage_id) AS
            SELECT runs.id, role, stage_id FROM run_parts JOIN runs ON runs.number = run;
        CREATE VIEW metrics(run_id, role, name, value, stage_id, protocol_name, protocol_json) AS
            SELECT runs.id, run_parts.role, scores.name, scores.value, scores.stage_id,
                scores.protocol_name, protocols.json
            FROM scores JOIN run_parts ON run_parts.stage_id = scores.stage_id
                JOIN runs ON runs.number = run_parts.run
                JOIN protocols ON protocols.number = scores.protocol;

        CREATE TABLE metric_names (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE run_values (
            metric INTEGER NOT NULL,
            run INTEGER NOT NULL,
            value REAL NOT NULL,
            PRIMARY KEY (metric, run)
        ) WITHOUT ROWID;
        CREATE INDEX run_values_by_value ON run_values(metric, value, run);
        """

    /// Protocols are long and few, so that they are stored once. Views hide such savings from those who ask.
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
