import Foundation
import NIOCore
import NIOHTTP1
import Synchronization

/// Open streams of server-sent events, by what they follow. Once a second each topic that somebody follows is looked at, and its
/// followers are told where it has changed.
final class EventStreams: Sendable {
    private struct Stream {
        let channel: any Channel
        let topic: Topic
        /// Seconds since it could last be written to.
        var stalled = 0
    }

    private struct Streams {
        var open: [ObjectIdentifier: Stream] = [:]
        var states: [Topic: String] = [:]
        var seconds = 0
        var isLooking = false
    }

    private let streams = Mutex(Streams())
    private let most: Int

    init(most: Int) { self.most = most }

    var count: Int { streams.withLock { $0.open.count } }

    /// Turns a connection into a stream; refuses it where there are too many.
    ///
    /// - Parameter state: of the topic just now. Whoever hears that the stream is open looks once more, and hears of every
    ///   change after that.
    func open(_ channel: any Channel, topic: Topic, state: String) {
        let isAccepted = streams.withLock { streams in
            guard streams.open.count < most else { return false }
            streams.open[ObjectIdentifier(channel)] = Stream(channel: channel, topic: topic)
            if streams.states[topic] == nil { streams.states[topic] = state }
            return true
        }
        guard isAccepted else {
            Connection.send(.text("Too many pages are open.", status: 503), isHead: false, keepAlive: false, to: channel)
            return
        }
        channel.write(HTTPServerResponsePart.head(Connection.head(.events(topic))), promise: nil)
        Self.write("retry: 2000\n\n", to: channel)
    }

    func remove(_ channel: any Channel) {
        streams.withLock { _ = $0.open.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    /// To be called once a second.
    func look(with site: any Answering, on work: WorkQueue) {
        let topics = streams.withLock { streams -> Set<Topic>? in
            streams.seconds += 1
            guard !streams.isLooking, !streams.open.isEmpty else { return nil }
            streams.isLooking = true
            return Set(streams.open.values.map(\.topic))
        }
        guard let topics else { return }
        work.submit { [self] in
            let states = Dictionary(uniqueKeysWithValues: topics.map { ($0, site.state(of: $0) ?? "gone") })
            let (told, stalled) = streams.withLock { streams -> ([any Channel], [any Channel]) in
                let changed = Set(states.filter { streams.states[$0.key] != nil && streams.states[$0.key] != $0.value }.keys)
                // A topic that was opened meanwhile has its state from then.
                let followed = Set(streams.open.values.map(\.topic))
                streams.states = streams.states.merging(states) { $1 }.filter { followed.contains($0.key) }
                streams.isLooking = false
                let beats = streams.seconds % 15 == 0
                var (told, stalled): ([any Channel], [any Channel]) = ([], [])
                for (id, stream) in streams.open {
                    guard changed.contains(stream.topic) || beats else { continue }
                    if stream.channel.isWritable {
                        streams.open[id]?.stalled = 0
                        if changed.contains(stream.topic) {
                            told.append(stream.channel)
                        } else {
                            Self.write(": here\n\n", to: stream.channel)
                        }
                    } else {
                        streams.open[id]?.stalled += 1
                        if stream.stalled > 3 { stalled.append(stream.channel) }
                    }
                }
                return (told, stalled)
            }
            for channel in told { Self.write("event: change\ndata: 1\n\n", to: channel) }
            for channel in stalled { channel.close(promise: nil) }
        }
    }

    private static func write(_ text: String, to channel: any Channel) {
        channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: text))), promise: nil)
    }
}
