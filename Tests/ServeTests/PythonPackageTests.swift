import Files
import Foundation
import Testing
import TestSupport

/// The package for notebooks, on a store that was made here.
@Suite struct PythonPackageTests {
    @Test func framesHoldWhatWasWritten() throws {
        try HostileStore.with { served in
            let answer = try JSONValue(
                parsing: Data(
                    python(
                        """
                        import json, math, sys
                        sys.path.insert(0, sys.argv[1])
                        from prologue_store import Store
                        store = Store(sys.argv[2])
                        runs, scores = store.runs(), store.scores()
                        curves = store.curves(sys.argv[3], 'prior')
                        missing = []
                        for ask in (lambda: store.curves(sys.argv[3], 'nothing'), lambda: store.settings('../x'), lambda: store.picture(sys.argv[3])):
                            try: ask(); missing.append('no error')
                            except (KeyError, IndexError) as error: missing.append(type(error).__name__)
                        print(json.dumps({
                            'runs': list(runs.id), 'sweep': runs.sweep[0], 'status': sorted(runs.status), 'dim': store.settings(sys.argv[3])['tokenizer']['dim'],
                            'gfid': sorted(scores[scores.name == 'gfid.nocfg'].value), 'failed': int(scores[scores.name == 'rfid'].value.isna().sum()),
                            'steps': list(map(int, curves.step)), 'loss': [float(x) for x in curves.loss], 'missing': missing}))
                        """, packageRoot.appendingPathComponent("python").path, served.store.directory.path, served.runs[0]
                    ).utf8))
            #expect(answer["runs"]?.arrayValue?.compactMap(\.stringValue) == served.runs.reversed())
            #expect(answer["sweep"]?.stringValue == HostileStore.attack)
            #expect(answer["status"] == ["done", "done", "failed"])
            #expect(answer["dim"] == 96)
            #expect(answer["gfid"]?.arrayValue?.compactMap(\.doubleValue) == [12.5, 13.5, 14.5])
            // A failed measurement is missing, not 0.
            #expect(answer["failed"] == 3)
            #expect(answer["steps"]?.arrayValue?.compactMap(\.intValue) == Array(1...50))
            #expect(answer["loss"]?.arrayValue?.compactMap(\.doubleValue) == (1...50).map { Double(1 / Float($0)) })
            #expect(answer["missing"] == ["KeyError", "KeyError", "IndexError"])
        }
    }
}
