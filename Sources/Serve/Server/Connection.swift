import Foundation
import NIOCore
import NIOHTTP1

/// One connection of a client: reads a request within its limits, has it answered, and closes what is slow.
///
/// All of it happens on the connection's event loop; only the answer itself is made on another thread.
final class Connection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    struct Limits: Sendable {
        /// Bytes of all headers of a request, and how many there may be.
        var headerBytes = 16 << 10
        var headers = 64
        var bodyBytes = 64 << 10
        /// Until a request is complete, from the connection's beginning or the last answer.
        var receiving = TimeAmount.seconds(10)
        /// Until an answer has gone out.
        var sending = TimeAmount.seconds(60)
        var connections = 512
        var streams = 256
    }

    private enum State {
        case waiting
        case reading(HTTPRequestHead, body: ByteBuffer)
        /// What still comes in does not matter.
        case answering
    }

    private let site: any Answering
    private let gate: Gate
    private let limits: Limits
    private let streams: EventStreams
    private let work: WorkQueue
    private var state = State.waiting
    private var deadline: Scheduled<Void>?

    init(_ site: any Answering, gate: Gate, limits: Limits, streams: EventStreams, work: WorkQueue) {
        (self.site, self.gate, self.limits, self.streams, self.work) = (site, gate, limits, streams, work)
    }

    func channelActive(context: ChannelHandlerContext) {
        expect(within: limits.receiving, context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        streams.remove(context.channel)
        context.fireChannelInactive()
    }

    /// Closes the connection unless something happens in time.
    private func expect(within time: TimeAmount?, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = time.map { context.eventLoop.scheduleTask(in: $0) { channel.close(promise: nil) } }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), state) {
        case (.head(let head), .waiting): begin(head, context)
        case (.body(var part), .reading(let head, var body)):
            guard body.readableBytes + part.readableBytes <= limits.bodyBytes else {
                return refuse(.text("A request may have \(limits.bodyBytes) bytes.", status: 413), head, context)
            }
            body.writeBuffer(&part)
            state = .reading(head, body: body)
        case (.end, .reading(let head, let body)): answer(head, body, context)
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError, case .waiting = state {
            state = .answering
            Self.send(.text("This is no request that can be read.", status: 400), isHead: false, keepAlive: false, to: context.channel)
        } else {
            context.close(promise: nil)
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let size = head.headers.reduce(head.uri.utf8.count) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        guard head.headers.count <= limits.headers, size <= limits.headerBytes else {
            return refuse(.text("The request's headers are too long.", status: 431), head, context)
        }
        guard head.uri.utf8.count <= Request.longestTarget else {
            return refuse(.text("The address is too long.", status: 414), head, context)
        }
        if let length = head.headers.first(name: "content-length").flatMap(Int.init), length > limits.bodyBytes {
            return refuse(.text("A request may have \(limits.bodyBytes) bytes.", status: 413), head, context)
        }
        let headers = Gate.Headers(
            host: head.headers["host"], origin: head.headers["origin"], fetchSite: head.headers["sec-fetch-site"],
            cookie: head.headers["cookie"], authorization: head.headers["authorization"])
        let target = Request(method: head.method.rawValue, target: head.uri)
        // The printed address brings the token along; nothing else is answered to it than the cookie.
        if let token = target?.query["token"], target?.path == [], head.method == .GET, gate.isToken(token),
            gate.refusal(method: "POST", with(headers) { $0.authorization = ["Bearer \(token)"] }, connectedTo: address(context)) == nil
        {
            let cookie = "\(gate.cookieName)=\(token); Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
            return refuse(.redirect(to: "/", headers: [("Set-Cookie", cookie)]), head, context)
        }
        if let refusal = gate.refusal(method: head.method.rawValue, headers, connectedTo: address(context)) {
            return refuse(refusal, head, context)
        }
        guard target != nil else { return refuse(.text("There is no such address.", status: 400), head, context) }
        if head.headers.contains(name: "upgrade") || head.headers.contains(name: "expect") {
            return refuse(.text("Neither other protocols nor expectations are known here.", status: 417), head, context)
        }
        state = .reading(head, body: ByteBuffer())
    }

    private func with(_ headers: Gate.Headers, _ change: (inout Gate.Headers) -> Void) -> Gate.Headers {
        var headers = headers
        change(&headers)
        return headers
    }

    private func address(_ context: ChannelHandlerContext) -> String? { context.channel.localAddress?.ipAddress }

    /// Answers without reading on, and closes.
    private func refuse(_ response: Response, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        state = .answering
        expect(within: limits.receiving, context)
        Self.send(response, isHead: head.method == .HEAD, keepAlive: false, to: context.channel)
    }

    private func answer(_ head: HTTPRequestHead, _ body: ByteBuffer, _ context: ChannelHandlerContext) {
        state = .answering
        guard var request = Request(method: head.method.rawValue, target: head.uri) else { return context.close(promise: nil) }
        request.held = head.headers.first(name: "x-live-parts").map { Request.fields($0) ?? [:] }
        if head.method == .POST {
            let type = head.headers.first(name: "content-type")?.lowercased() ?? ""
            guard type.hasPrefix("application/x-www-form-urlencoded") else {
                return refuse(.text("Only forms can be posted.", status: 415), head, context)
            }
            guard let form = Request.fields(String(buffer: body)) else {
                return refuse(.text("This form cannot be read.", status: 400), head, context)
            }
            request.form = form
        }
        let headers = Gate.Headers(cookie: head.headers["cookie"], authorization: head.headers["authorization"])
        let isTrusted = gate.isTrusted(headers)
        expect(within: nil, context)
        let (channel, site, streams, isHead, keepAlive) = (context.channel, site, streams, head.method == .HEAD, head.isKeepAlive)
        let loop = context.eventLoop
        let box = NIOLoopBound(self, eventLoop: loop)
        let time = limits.sending
        let asked = request
        work.submit {
            let response = site.answer(asked, isTrusted: isTrusted)
            let state = if case .events(let topic) = response.body { site.state(of: topic) ?? "gone" } else { "" }
            loop.execute {
                let connection = box.value
                guard channel.isActive else { return }
                if case .events(let topic) = response.body, !isHead {
                    connection.deadline?.cancel()
                    return streams.open(channel, topic: topic, state: state)
                }
                connection.deadline = loop.scheduleTask(in: time) { channel.close(promise: nil) }
                Connection.send(response, isHead: isHead, keepAlive: keepAlive, to: channel).whenSuccess {
                    loop.execute { box.value.goOn(loop, channel) }
                }
            }
        }
    }

    /// The next request of the connection may come.
    private func goOn(_ loop: any EventLoop, _ channel: any Channel) {
        state = .waiting
        deadline?.cancel()
        deadline = loop.scheduleTask(in: limits.receiving * 6) { channel.close(promise: nil) }
    }

    /// Writes a whole response. The future succeeds once it has gone out and the connection stays open.
    @discardableResult
    static func send(_ response: Response, isHead: Bool, keepAlive: Bool, to channel: any Channel) -> EventLoopFuture<Void> {
        guard case .bytes(let bytes) = response.body else { return channel.eventLoop.makeSucceededVoidFuture() }
        var head = Self.head(response)
        head.headers.add(name: "Content-Length", value: String(bytes.count))
        if !keepAlive { head.headers.add(name: "Connection", value: "close") }
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        if !isHead { channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: bytes))), promise: nil) }
        let sent = channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        guard !keepAlive else { return sent }
        sent.whenComplete { _ in channel.close(promise: nil) }
        return channel.eventLoop.makeFailedFuture(ChannelError.alreadyClosed)
    }

    static func head(_ response: Response) -> HTTPResponseHead {
        var head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: response.status))
        head.headers.add(name: "Content-Type", value: response.contentType)
        for (name, value) in response.headers { head.headers.add(name: name, value: value) }
        for (name, value) in Response.safety where !head.headers.contains(name: name) { head.headers.add(name: name, value: value) }
        return head
    }
}

/// What makes answers. Called on threads of its own, several at once.
protocol Answering: AnyObject, Sendable {
    func answer(_ request: Request, isTrusted: Bool) -> Response
    /// What a page that follows `topic` compares: another text, other content. Nil where there is no such topic.
    func state(of topic: Topic) -> String?
}
