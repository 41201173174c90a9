import Files
import Foundation
import RunStore
import Serve
import TestSupport

/// A small store whose every text is an attack on the page that shows it, served on a free port.
struct HostileStore {
    static let attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&"

    let store: Store
    let runs: [String]
    let server: LiveServer

    init(in folder: URL) throws {
        store = try Store(directory: folder)
        let (store, machine, code) = (store, Machine.current(), CodeVersion(commit: Self.attack, hasLocalChanges: true))
        func make(_ identity: StageIdentity, _ scores: Scores?) throws -> String {
            try store.perform(identity, code: code, machine: machine) { work in
                let metrics = try MetricsFile.create(at: work.url("metrics.h5"), columns: ["loss", "other"])
                try metrics.append(
                    (1...50).map { MetricsRow(step: $0, wallSeconds: Double($0), values: ["loss": 1 / Float($0), "other": Float($0)]) })
                try metrics.close()
                try work.log(Self.attack)
                if let scores { try work.save(scores, named: "hostile") }
                return ["steps": 50]
            }.stage.id
        }
        var runs: [String] = []
        for seed in 0..<3 {
            let tokenizer = try make(StageIdentity(kind: "tokenizer", settings: ["seed": .int(seed)], formatVersion: 1), nil)
            let prior = try make(
                StageIdentity(kind: "prior", settings: ["seed": .int(seed)], inputs: ["tokens": tokenizer], formatVersion: 1),
                Scores(protocol: ["text": .string(Self.attack)], values: ["gfid.nocfg": 12.5 + Double(seed), "rfid": nil]))
            let run = RunRecord(
                sweep: Self.attack, cell: Self.attack, seed: seed,
                config: ["tokenizer": ["variant": .string(Self.attack), "dim": 96], "prior": ["dim": 32], "seed": .int(seed)],
                stages: ["tokenizer": tokenizer, "prior": prior], codeVersion: code, machine: machine,
                created: Date(timeIntervalSince1970: 1_800_000_000 + Double(seed)))
            try store.save(run)
            try store.setStatus(Status(seed == 2 ? .failed : .done, step: 50, of: 50, message: Self.attack), ofRun: run.id)
            try store.annotate(run: run.id) {
                $0.tags = [Self.attack]
                $0.notes.append(.init(text: Self.attack))
            }
            runs.append(run.id)
        }
        self.runs = runs
        var options = LiveServer.Options()
        options.port = 0
        server = try LiveServer(LiveStore(store, readAtOnce: 1), options)
    }

    var token: String { String(server.addressWithToken.split(separator: "=").last ?? "") }

    static func with(_ body: (HostileStore) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let served = try HostileStore(in: folder)
            try body(served)
            try served.server.stop()
        }
    }
}
