internal import GRDB
import Files
import Foundation

/// The SQLite file of an index, opened, replaced when it is damaged, with errors in the user's words.
final class IndexDatabase: @unchecked Sendable {
    private let store: Store
    let warning: @Sendable (String) -> Void
    /// Where the file is: `Store.indexFile`, or in a temporary folder when the store cannot be written.
    private let file: URL
    let isReadOnly: Bool

    private let lock = NSRecursiveLock()
    /// Guarded by `lock`, with the identity of the file it was opened on.
    private var pool: DatabasePool?
    private var inode: UInt64 = 0

    init(store: Store, warning: @escaping @Sendable (String) -> Void) throws {
        self.store = store
        self.warning = warning
        let own = store.indexFile
        if store.isShared { try RecordFile.makeDirectory(own.deletingLastPathComponent()) }
        // With an archive beside it the index says more than the store's files do: it is this process's own.
        isReadOnly = access(own.deletingLastPathComponent().path, W_OK) != 0 || store.archive != nil
        if isReadOnly {
            // SQLite needs to write beside a file in WAL mode even to read it, so a copy is read.
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("index-\(UUID().uuidString)")
            try RecordFile.makeDirectory(folder)
            file = folder.appendingPathComponent("index.sqlite")
            for suffix in ["", "-wal"] where store.archive == nil {
                try? FileManager.default.copyItem(atPath: own.path + suffix, toPath: file.path + suffix)
            }
        } else {
            file = own
        }
        _ = try recovering { try $0.read { _ in } }
    }

    deinit {
        guard isReadOnly else { return }
        try? pool?.close()
        try? FileManager.default.removeItem(at: file.deletingLastPathComponent())
    }

    func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
        try recovering { try $0.read(body) }
    }

    /// Stops what is being read then, unless it is cancelled before.
    func interrupting(after seconds: Double) -> DispatchWorkItem {
        let work = DispatchWorkItem { [weak self] in
            guard let self else { return }
            lock.withLock { pool }?.interrupt()
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: work)
        return work
    }

    /// Changes the index in one transaction.
    func write<Result>(_ body: (IndexWriter) throws -> Result) throws -> Result {
        if isReadOnly { throw InputError(file: store.directory.path, "the store is read-only") }
        return try recovering { pool in try pool.write { try body(IndexWriter(db: $0, store: store)) } }
    }

    /// Reads the whole store again, in one transaction.
    func fill() throws {
        try recovering { pool in
            try pool.write { try IndexWriter(db: $0, store: store).fill(warning: warning) }
        }
    }

    /// Puts records in place of everything, in one transaction.
    func fill(stages: some Sequence<IndexedStage>, runs: some Sequence<IndexedRun>) throws {
        try recovering { pool in
            try pool.write { try IndexWriter(db: $0, store: store).fill(stages: stages, runs: runs) }
        }
    }

    /// Runs `body`; if the file turns out to be damaged, makes a new one from the store's files and runs it again.
    private func recovering<Result>(_ body: (DatabasePool) throws -> Result) throws -> Result {
        do {
            do {
                return try body(opened())
            } catch let error as DatabaseError where Self.isDamage(error) {
                try replace(because: error.message ?? error.resultCode.description)
                return try body(opened())
            }
        } catch let error as DatabaseError {
            throw explained(error)
        }
    }

    private static func isDamage(_ error: DatabaseError) -> Bool {
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: true
        // Our own statements fail like this only if the schema is not the one the migrations made.
        case .SQLITE_ERROR: error.message?.hasPrefix("no such table: filled") ?? false
        default: false
        }
    }

    /// The pool on the file that is at the path now: another process may have replaced a damaged one.
    private func opened() throws -> DatabasePool {
        try lock.withLock {
            let current = currentInode
            if let pool, current == inode, current != 0 { return pool }
            return try FileLock.exclusively(lockFile) { try open() }
        }
    }

    private func replace(because reason: String) throws {
        try lock.withLock {
            try FileLock.exclusively(lockFile) {
                // Unless another process has been faster. An inode that we hold open is not given to a new file.
                if currentInode == inode {
                    warning("\(file.path) is damaged (\(reason)); it is made again from the store's files")
                    try? pool?.close()
                    removeFiles()
                }
                _ = try open()
            }
        }
    }

    /// Opens the file, brings its schema up to date and fills it if it is new; call with both locks held.
    private func open() throws -> DatabasePool {
        try? pool?.close()
        pool = nil
        inode = currentInode
        // A journal without its database would be taken for the journal of the new one.
        if inode == 0 { removeFiles() }
        var configuration = Configuration()
        configuration.busyMode = .timeout(20)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
        let opened = try DatabasePool(path: file.path, configuration: configuration)
        let migrator = IndexSchema.migrator
        if try opened.read(migrator.hasBeenSuperseded) {
            throw InputError(file: file.path, "was made by a newer version of this program; remove it to have it made again")
        }
        try migrator.migrate(opened)
        if try opened.read({ try Int.fetchOne($0, sql: "SELECT count(*) FROM filled") }) == 0 {
            if try store.archive == nil && !store.runIDs().isEmpty {
                warning("\(file.path) is missing or incomplete; it is made again from the store's files")
            }
            try opened.write { try IndexWriter(db: $0, store: store).fill(warning: warning) }
        }
        pool = opened
        inode = currentInode
        return opened
    }

    private var lockFile: URL { file.appendingPathExtension("lock") }

    private func removeFiles() { for suffix in ["", "-wal", "-shm"] { unlink(file.path + suffix) } }

    private var currentInode: UInt64 {
        var info = stat()
        return stat(file.path, &info) == 0 ? UInt64(info.st_ino) : 0
    }

    /// The database's error in the user's words.
    private func explained(_ error: DatabaseError) -> InputError {
        let text = error.message ?? "\(error.resultCode)"
        let isFull = DiskSpace(of: file.deletingLastPathComponent())?.free == 0
        switch error.resultCode {
        case .SQLITE_FULL: return InputError(file: file.path, "cannot write: the disk is full")
        case .SQLITE_IOERR where isFull: return InputError(file: file.path, "cannot write: the disk is full")
        case .SQLITE_READONLY where error.sql == nil || !isReadOnly:
            return InputError(file: file.path, "cannot write: \(text)")
        case .SQLITE_CANTOPEN, .SQLITE_PERM:
            return InputError(file: file.path, isFull ? "cannot open: the disk is full" : "cannot open: \(text)")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return InputError(file: file.path, "another process has been writing for 20 seconds; try again")
        default: return InputError(file: file.path, text)
        }
    }
}
