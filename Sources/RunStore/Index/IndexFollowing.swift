internal import GRDB
import Files
import Foundation

/// How the index of one host comes to know what other hosts have changed in a store.
///
/// Files are put in place by renaming, which changes the date of their folder. So a look at the folders tells which runs and stages
/// have changed; a finished stage changes only with a run that has it, and is not looked at.
extension IndexWriter {
    /// The date and the number of each folder, by its path in the store.
    typealias Stamps = [String: String]

    /// A folder that has not changed for so long does not change without a new date: dates are as coarse as a second, and clocks differ.
    private static let settledAfter = 60.0

    func followedStamps() throws -> (known: Stamps, unsettled: Set<String>) {
        try db.execute(
            sql:
                "CREATE TABLE IF NOT EXISTS followed (folder TEXT PRIMARY KEY, stamp TEXT NOT NULL, settled INTEGER NOT NULL) WITHOUT ROWID"
        )
        var (known, unsettled): (Stamps, Set<String>) = ([:], [])
        for row in try Row.fetchAll(db, sql: "SELECT folder, stamp, settled FROM followed") {
            known[row[0]] = row[1]
            if !(row[2] as Bool) { unsettled.insert(row[0]) }
        }
        return (known, unsettled)
    }

    /// Reads what has changed since the last time, and forgets what is gone.
    func follow(warning: (String) -> Void) throws {
        let (known, unsettled) = try followedStamps()
        let runs = try store.runIDs()
        var gone = Set(known.keys)
        func changed(_ path: String) throws -> Bool {
            gone.remove(path)
            guard let (stamp, settled) = Self.stamp(store.directory.appendingPathComponent(path)) else { return false }
            let isKnown = known[path] == stamp && !unsettled.contains(path)
            // Before the files are read: what changes meanwhile is seen next time.
            if !isKnown { try db.execute(sql: "INSERT OR REPLACE INTO followed VALUES (?, ?, ?)", arguments: [path, stamp, settled]) }
            return !isKnown
        }
        for id in runs where try changed("runs/\(id)") { try attempt(warning) { try putRunWithStages(id) } }
        let finished = Set(try String.fetchAll(db, sql: "SELECT id FROM stages WHERE finished IS NOT NULL"))
        let stages = try store.stageIDs()
        for id in stages {
            guard !finished.contains(id) else {
                gone.remove("stages/\(id)")
                continue
            }
            if try changed("stages/\(id)") { try attempt(warning) { try putStage(id, takesDamage: true) } }
        }
        let (runsNow, stagesNow) = (Set(runs), Set(stages))
        for id in try String.fetchAll(db, sql: "SELECT id FROM runs") where !runsNow.contains(id) { try putRun(id) }
        for id in try String.fetchAll(db, sql: "SELECT id FROM stages") where !stagesNow.contains(id) { try putStage(id) }
        for path in gone { try db.execute(sql: "DELETE FROM followed WHERE folder = ?", arguments: [path]) }
    }

    private static func stamp(_ folder: URL) -> (text: String, isSettled: Bool)? {
        var info = stat()
        guard stat(folder.path, &info) == 0 else { return nil }
        let age = Date().timeIntervalSince1970 - Double(info.st_mtim.tv_sec)
        return ("\(info.st_ino) \(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec)", age > settledAfter)
    }

    /// Everything is read anew: what was known of folders counts no more.
    func forgetFollowed() throws {
        if try db.tableExists("followed") { try db.execute(sql: "DELETE FROM followed") }
    }
}

extension RunIndex {
    /// Reads what other hosts have changed; nothing where the store is this host's alone, whose processes tell the index themselves.
    public func follow() throws {
        guard store.isShared, store.archive == nil else { return }
        try database.write { try $0.follow(warning: database.warning) }
    }
}
