import ArgumentParser
import Experiment
import Files
import Foundation
import RunStore
import Serve
import Sweep

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Show the store as a web page that follows what runs.",
        discussion: """
            Sweep files tell the page of cells that were never begun and of the baseline. The page is for this machine alone unless
            --host names another address; writing notes and drawing need the token in the printed address.

              prologue serve
              prologue serve Experiments/01-quickstart/sweep.yaml --port 8080
            """)

    @Argument(help: "Sweep files.", completion: .file(extensions: ["yaml", "yml"])) var sweeps: [String] = []
    @Option(help: "Port; 0 for any that is free.") var port = 8080
    @Option(help: "Address to listen on; others than this machine's own need the token for everything.") var host = "127.0.0.1"
    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be 0 to 65535, not \(port)") }
    }

    func run() throws {
        Interruption.listen()
        let files = try sweeps.map { try SweepFile(loading: URL(fileURLWithPath: $0)) }
        var options = LiveServer.Options()
        (options.host, options.port, options.readsAhead) = (host, port, true)
        let server = try LiveServer(LiveStore(Store(directory: store.directory), sweeps: files), options)
        print("serving \(store.directory.path)")
        print("read:    \(server.address)")
        print("write:   \(server.addressWithToken)")
        while !Interruption.isRequested { Thread.sleep(forTimeInterval: 0.2) }
        try server.stop()
    }
}
