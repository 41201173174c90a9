import Files
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import RunStore
import Synchronization

/// Serves the live page of a store until it is stopped.
public final class LiveServer: Sendable {
    public struct Options: Sendable {
        /// The address that is listened on.
        public var host = "127.0.0.1"
        /// 0 for any that is free.
        public var port = 8080
        /// Whether the sweeps that a visitor is likely to look at are read before anybody asks.
        public var readsAhead = false

        public init() {}
    }

    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let gate: Gate
    private let host: String

    /// Starts listening.
    ///
    /// - Throws: `InputError` where the address or the port cannot be had.
    public convenience init(_ store: LiveStore, _ options: Options = Options()) throws {
        let site = Site(store)
        try self.init(site, options, Connection.Limits())
        if options.readsAhead { DispatchQueue.global(qos: .utility).async { site.readAhead() } }
    }

    init(_ site: any Answering, _ options: Options, _ limits: Connection.Limits, token: String = Gate.newToken()) throws {
        host = options.host
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (work, streams, open) = (WorkQueue(), EventStreams(most: limits.streams), OpenConnections())
        // The port is known only once it is bound; no connection is accepted before that.
        let shared = GateBox()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let gate = shared.gate, open.begin(channel, most: limits.connections) else { throw ChannelError.alreadyClosed }
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HTTPResponseEncoder())
                    try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
                    try pipeline.addHandler(HTTPServerPipelineHandler())
                    try pipeline.addHandler(Connection(site, gate: gate, limits: limits, streams: streams, work: work))
                }
            }
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 16 << 10, high: 64 << 10))
        do {
            channel = try bootstrap.bind(host: options.host, port: options.port).wait()
        } catch {
            try? group.syncShutdownGracefully()
            throw InputError(
                "cannot listen on \(options.host), port \(options.port): \(Self.reason(error)); --port names another, --port 0 any that is free"
            )
        }
        gate = Gate(host: options.host, port: channel.localAddress?.port ?? options.port, machine: Machine.current().host, token: token)
        shared.gate = gate
        channel.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            streams.look(with: site, on: work)
        }
    }

    private static func reason(_ error: any Error) -> String {
        (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
    }

    public var port: Int { gate.port }
    var token: String { gate.token }

    /// The page's address; the second brings along the token that writing needs.
    public var address: String { "http://\(host.contains(":") ? "[\(host)]" : host):\(port)/" }
    public var addressWithToken: String { "\(address)?token=\(gate.token)" }

    /// Closes everything.
    public func stop() throws {
        try channel.close().wait()
        try group.syncShutdownGracefully()
    }
}

/// How many connections there are.
private final class OpenConnections: Sendable {
    private let count = Mutex(0)

    /// Counts a connection until it closes; false where there are too many.
    func begin(_ channel: any Channel, most: Int) -> Bool {
        let isRoom = count.withLock { count in
            guard count < most else { return false }
            count += 1
            return true
        }
        if isRoom { channel.closeFuture.whenComplete { _ in self.count.withLock { $0 -= 1 } } }
        return isRoom
    }
}

/// The gate, once the port is known.
private final class GateBox: Sendable {
    private let value = Mutex<Gate?>(nil)

    var gate: Gate? {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}
