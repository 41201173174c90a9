import Foundation

/// What a client gets.
struct Response: Sendable {
    enum Body: Sendable {
        case bytes(Data)
        /// A stream of events, open until one side closes it.
        case events(Topic)
    }

    var status: Int
    var contentType: String
    var body: Body
    /// Beside those that every response has.
    var headers: [(name: String, value: String)] = []

    init(_ status: Int = 200, _ contentType: String, _ bytes: Data) {
        (self.status, self.contentType, body) = (status, contentType, .bytes(bytes))
    }

    static func html(_ page: HTML, status: Int = 200) -> Response {
        Response(status, "text/html; charset=utf-8", Data(page.text.utf8))
    }

    static func text(_ text: String, status: Int = 200) -> Response {
        Response(status, "text/plain; charset=utf-8", Data((text + "\n").utf8))
    }

    static func events(_ topic: Topic) -> Response {
        var response = Response(200, "text/event-stream; charset=utf-8", Data())
        response.body = .events(topic)
        return response
    }

    /// Sends the browser to a page of this server.
    static func redirect(to place: String, headers: [(name: String, value: String)] = []) -> Response {
        var response = Response.text("see \(place)", status: 303)
        response.headers = [("Location", place)] + headers
        return response
    }

    /// A file to be kept, under a name that is safe in a header.
    static func file(_ bytes: Data, _ contentType: String, named name: String) -> Response {
        let plain = String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) ? $0 : "-" })
        var response = Response(200, contentType, bytes)
        response.headers = [("Content-Disposition", "attachment; filename=\"\(plain)\"")]
        return response
    }

    /// Sent with every response: nothing inline, nothing from elsewhere, in no other page, kept nowhere.
    static let safety: [(name: String, value: String)] = [
        (
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                + "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
        ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"), ("Cache-Control", "no-store"),
    ]
}
