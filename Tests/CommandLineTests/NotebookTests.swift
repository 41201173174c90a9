import Files
import Foundation
import TestSupport
import Testing

/// The example notebook of `python/`, executed by Jupyter's client on a finished store.
@Suite struct NotebookTests {
    @Test func everyCellRuns() throws {
        let place = try finishedSweep.get().place
        let answer = try JSONValue(
            parsing: Data(
                place.python(
                    """
                    import json, os, sys, nbformat
                    from nbclient import NotebookClient
                    store, package = sys.argv[1:3]
                    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"): os.environ[name] = os.path.join(os.getcwd(), "jupyter", name)
                    os.environ["PYTHONPATH"] = package
                    notebook = nbformat.read(os.path.join(package, "notebooks", "store.ipynb"), 4)
                    shown = 0
                    for cell in notebook.cells:
                        shown += "../../results/store" in cell.source
                        cell.source = cell.source.replace("../../results/store", store)
                    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": os.getcwd()}}).execute()
                    outputs = [[out for out in cell.outputs if out.output_type == "execute_result" or out.output_type == "display_data"]
                               for cell in notebook.cells if cell.cell_type == "code"]
                    print(json.dumps({
                        "shown": shown, "kinds": [sorted({kind for out in cell for kind in out.data}) for cell in outputs],
                        "last": outputs[-1][0].data["text/plain"]}))
                    """, packageRoot.appendingPathComponent("python").path
                ).utf8))
        #expect(answer["shown"] == 1)
        let kinds = (answer["kinds"]?.arrayValue ?? []).map { $0.arrayValue?.compactMap(\.stringValue) ?? [] }
        // Two frames, a plot, a picture, and the shapes of samples.
        #expect(kinds.count == 5)
        #expect(kinds.prefix(2).allSatisfy { $0.contains("text/html") })
        #expect(kinds.dropFirst(2).prefix(2).allSatisfy { $0.contains("image/png") })
        #expect(answer["last"]?.stringValue?.hasPrefix("((40, 16, 16, 3), (40, ") == true)
    }
}
