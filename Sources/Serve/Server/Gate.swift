import Files
import Foundation

/// Who may ask for what: decided by headers alone, before anything is looked up.
struct Gate: Sendable {
    /// Printed once, when the server starts.
    let token: String
    let port: Int
    /// Whether only programs of this machine can connect.
    let isLoopback: Bool
    /// Names under which this server may be addressed, without port.
    let names: Set<String>

    /// - Parameter host: the address that is listened on.
    init(host: String, port: Int, machine: String, token: String = Gate.newToken()) {
        isLoopback = Self.loopback.contains(host) || host.hasPrefix("127.")
        names = Set((Self.loopback + [host, machine]).map { $0.lowercased() })
        (self.port, self.token) = (port, token)
    }

    static let loopback = ["127.0.0.1", "localhost", "::1"]

    /// 192 random bits.
    static func newToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<3).map { _ in String(format: "%016lx", UInt(generator.next() as UInt64)) }.joined()
    }

    /// Names of the headers that are looked at, in small letters.
    struct Headers {
        var host: [String] = []
        var origin: [String] = []
        var fetchSite: [String] = []
        var cookie: [String] = []
        var authorization: [String] = []
    }

    /// Whether the request carries the token: in the cookie that the printed address sets, or as `Authorization: Bearer`.
    func isTrusted(_ headers: Headers) -> Bool {
        let cookies = headers.cookie.joined(separator: ";").split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
        let given =
            cookies.compactMap { $0.hasPrefix("\(cookieName)=") ? String($0.dropFirst(cookieName.count + 1)) : nil }
            + headers.authorization.compactMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil }
        return given.contains(where: isToken)
    }

    /// Compares in a time that does not depend on where the two differ.
    func isToken(_ given: String) -> Bool {
        let (own, other) = (Array(token.utf8), Array(given.utf8))
        guard own.count == other.count else { return false }
        return zip(own, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Cookies do not know ports, so that two servers of one machine need two names.
    var cookieName: String { "prologue-\(port)" }

    /// What is answered to a request that may not be; nil where it may.
    ///
    /// - Parameter address: the address of this machine that the client connected to.
    func refusal(method: String, _ headers: Headers, connectedTo address: String?) -> Response? {
        guard headers.host.count == 1, isOwn(headers.host[0], address) else {
            return .text("This address is not one of this server's; open the one that it printed.", status: 421)
        }
        guard headers.origin.count <= 1, headers.origin.allSatisfy({ $0.lowercased() == "http://\(headers.host[0].lowercased())" }) else {
            return .text("Requests from pages of other sites are refused.", status: 403)
        }
        let isReading = method == "GET" || method == "HEAD"
        if headers.fetchSite.contains(where: { $0 == "cross-site" || $0 == "same-site" }), !isReading {
            return .text("Requests from pages of other sites are refused.", status: 403)
        }
        guard isReading || method == "POST" else {
            var response = Response.text("Only GET, HEAD and POST are answered.", status: 405)
            response.headers = [("Allow", "GET, HEAD, POST")]
            return response
        }
        if !isReading || !isLoopback, !isTrusted(headers) {
            return .text(
                "This needs the token: open the address that 'prologue serve' printed when it started.", status: 401)
        }
        return nil
    }

    /// Whether `host`, as `Host` has it, is a name of this server. A page of another site whose name was made to point here
    /// (DNS rebinding) sends that name.
    private func isOwn(_ host: String, _ address: String?) -> Bool {
        let given = host.lowercased()
        var known = names
        if let address { known.insert(address.lowercased()) }
        return known.contains { name in
            let name = name.contains(":") ? "[\(name)]" : name
            return given == "\(name):\(port)" || port == 80 && given == name
        }
    }
}
