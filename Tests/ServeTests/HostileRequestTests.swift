import Files
import Foundation
import Testing
import TestSupport

/// Requests that no friend would send, as bytes on a socket of Python's, and what must come back: a status, or the end of the
/// connection without one.
@Suite struct HostileRequestTests {
    /// Each with the statuses that are right; 0 is a connection that was closed without an answer.
    static func table(host: String, token: String, run: String) -> [(request: String, statuses: [Int])] {
        func get(_ target: String, _ headers: String = "") -> String { "GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\(headers)\r\n" }
        func post(_ target: String, _ body: String, _ headers: String, type: String = "application/x-www-form-urlencoded") -> String {
            "POST \(target) HTTP/1.1\r\nHost: \(host)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
        }
        let bearer = "Authorization: Bearer \(token)\r\n"
        let (notes, form) = ("/run/\(run)/notes", "text=x")
        var table: [(String, [Int])] = []
        // Paths that would leave the store, or name what is in it.
        for path in [
            "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/run/../../etc/passwd",
            "/run/..%2f..%2fetc%2fpasswd",
            "/run/%2e%2e", "/run/\(run)/picture/../../run.json", "/run/\(run)/picture/..%2f..%2frun.json", "/run/\(run)/picture/-1",
            "/run/\(run)/picture/999999999999999999999", "/run/\(run)/samples/..%2f..%2f/0.png", "/run/\(run)/samples/x/..%2f0.png",
            "/run/\(run)/run.json", "/stages", "/index.sqlite", "/runs/\(run)/run.json", "//etc/passwd", "/run//x", "/%00", "/run/a%00b",
            "/run/%ff%fe", "/run/%zz", "/..\\..\\windows", "/run/..%5c..%5cx", "/sweep/%2e%2e%2fx", "/file:///etc/passwd",
            "/draw/1/../../x",
            "/draw/1/passwd", "/events/file/x", "/live.js/../../x",
        ] { table.append((get(path), [400, 404])) }
        // Text that would become markup or a header.
        table.append((get("/run/%3Cscript%3Ealert(1)%3C%2Fscript%3E"), [404]))
        table.append((get("/run/x%0d%0aSet-Cookie:%20a=b"), [400, 404]))
        table.append((get("/history?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E"), [200]))
        table.append((get("/history?q=%0d%0aX: y"), [200, 400]))
        table.append((get("/history?q=1'%3B%20DROP%20TABLE%20runs%3B--"), [200]))
        table.append((get("/history.csv?q=run%20%3D%20'a'%20union%20select%201"), [400]))
        table.append((get("/history?q=" + String(repeating: "(", count: 3000)), [200]))
        table.append((get("/history?q=" + String(repeating: "a", count: 9000)), [414]))
        table.append((get("/?" + (0..<100).map { "a\($0)=1" }.joined(separator: "&")), [400]))
        table.append((get("/compare?run=\(run)"), [400]))
        table.append((get("/compare?run=\(run)&run=..%2f..%2fx"), [400]))
        // Methods and versions.
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
            table.append(("\(method) / HTTP/1.1\r\nHost: \(host)\r\n\r\n", [405]))
        }
        table.append(("CONNECT \(host) HTTP/1.1\r\nHost: \(host)\r\n\r\n", [400, 405]))
        table.append(("GET http://evil.example/ HTTP/1.1\r\nHost: \(host)\r\n\r\n", [400]))
        table.append(("GET / HTTP/9.9\r\nHost: \(host)\r\n\r\n", [0, 400, 505]))
        table.append(("GET /\r\n\r\n", [0, 400, 421]))
        table.append(("nonsense\r\n\r\n", [0, 400]))
        table.append(("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n", [0, 400]))
        // Names of others (DNS rebinding), pages of others.
        table.append(("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", [421]))
        table.append(("GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example:80\r\n\r\n", [421]))
        table.append(("GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", [421]))
        table.append(("GET / HTTP/1.1\r\n\r\n", [400, 421]))
        table.append(("GET / HTTP/1.1\r\nHost: \(host)\r\nHost: evil.example\r\n\r\n", [400, 421]))
        table.append((get("/", "Origin: http://evil.example\r\n"), [403]))
        table.append((get("/", "Origin: null\r\n"), [403]))
        // Writing without the token, with a wrong one, from elsewhere, of what is not there.
        table.append((post(notes, form, ""), [401]))
        table.append((post(notes, form, "Authorization: Bearer wrong\r\n"), [401]))
        table.append((post(notes, form, "Authorization: Bearer \(String(token.dropLast()))\r\n"), [401]))
        table.append((post(notes, form, "Cookie: prologue=\(token)\r\n"), [401]))
        table.append((post(notes, form, bearer + "Origin: http://evil.example\r\n"), [403]))
        table.append((post(notes, form, bearer + "Sec-Fetch-Site: cross-site\r\n"), [403]))
        table.append((post(notes, "{\"text\":1}", bearer, type: "application/json"), [415]))
        table.append((post(notes, form, bearer, type: "text/plain"), [415]))
        table.append((post(notes, "text=%zz", bearer), [400]))
        table.append((post(notes, "text=", bearer), [400]))
        table.append((post(notes, "remove=99", bearer), [400]))
        table.append((post("/run/\(run)/tags", "add=a%20b", bearer), [400]))
        table.append((post("/run/..%2f..%2fx/notes", form, bearer), [400, 404]))
        table.append((post("/run/nothing/notes", form, bearer), [404]))
        table.append((post("/", form, bearer), [404]))
        table.append((post("/draw", "run=..%2f..%2fx", bearer), [400]))
        table.append((post("/draw", "run=\(run)&count=1e9", bearer), [400]))
        table.append((post("/draw", "from=77", bearer), [400]))
        // Sizes.
        table.append((get("/", "X: " + String(repeating: "a", count: 20_000) + "\r\n"), [0, 400, 431]))
        table.append((get("/", (0..<200).map { "X\($0): 1\r\n" }.joined()), [0, 400, 431]))
        table.append((post(notes, "text=" + String(repeating: "a", count: 200_000), bearer), [413]))
        table.append(("POST \(notes) HTTP/1.1\r\nHost: \(host)\r\nContent-Length: 99999999999999\r\n\(bearer)\r\n", [400, 413]))
        table.append(("POST \(notes) HTTP/1.1\r\nHost: \(host)\r\nContent-Length: -1\r\n\(bearer)\r\n", [0, 400]))
        // Two lengths: what one program takes for a body another takes for a request.
        table.append(
            (
                "POST \(notes) HTTP/1.1\r\nHost: \(host)\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\(bearer)\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
                [0, 400, 415]
            ))
        table.append(("POST \(notes) HTTP/1.1\r\nHost: \(host)\r\nContent-Length: 4\r\nContent-Length: 5\r\n\(bearer)\r\nabcde", [0, 400]))
        // Other protocols.
        table.append(
            (get("/", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"), [400, 417]))
        table.append((get("/", "Upgrade: h2c\r\nConnection: Upgrade\r\n"), [400, 417]))
        table.append((post(notes, form, bearer + "Expect: 100-continue\r\n"), [417]))
        return table.map { ($0.0, $0.1) }
    }

    private static let client = """
        import json, socket, sys, time
        port = int(sys.argv[1])
        cases = json.load(open('input'))
        def connect():
            s = socket.create_connection(('127.0.0.1', port)); s.settimeout(30); return s
        # Two that send a header a second, or nothing at all: closed in the end, and in nobody's way until then.
        slow = [connect(), connect()]
        slow[0].sendall(b'GET / HTTP/1.1\\r\\nHost: x')
        answers = []
        for case in cases:
            s = connect()
            data = b''
            try:
                s.sendall(case.encode('utf-8'))
                while b'\\r\\n\\r\\n' not in data:
                    part = s.recv(65536)
                    if not part: break
                    data += part
            except OSError: pass
            s.close()
            head = data.split(b'\\r\\n\\r\\n')[0].decode('latin1').split('\\r\\n')
            answers.append({'status': int(head[0].split()[1]) if head[0] else 0, 'headers': [h.lower() for h in head[1:]]})
        closed = 0
        for s in slow:
            try:
                while s.recv(4096): pass
                closed += 1
            except ConnectionError: closed += 1
            except OSError: pass
        print(json.dumps({'answers': answers, 'closed': closed}))
        """

    @Test func hostileRequestsAreRefused() throws {
        try HostileStore.with { served in
            let host = "127.0.0.1:\(served.server.port)"
            let table = Self.table(host: host, token: served.token, run: served.runs[0])
            #expect(table.count >= 60)
            let input = JSONValue.array(table.map { .string($0.request) }).canonical
            let answer = try JSONValue(
                parsing: Data(python(Self.client, String(served.server.port), files: ["input": Data(input.utf8)]).utf8))
            let answers = answer["answers"]?.arrayValue ?? []
            #expect(answers.count == table.count)
            for (given, answer) in zip(table, answers) {
                #expect(
                    given.statuses.contains(answer["status"]?.intValue ?? -1),
                    "\(given.request.prefix(200)) → \(answer["status"]?.canonical ?? "")")
                let headers = answer["headers"]?.arrayValue?.compactMap(\.stringValue) ?? []
                #expect(!headers.contains { $0.hasPrefix("set-cookie") || $0.hasPrefix("x:") })
                if answer["status"]?.intValue == 200 {
                    #expect(headers.contains { $0.hasPrefix("content-security-policy: default-src 'none'") })
                }
            }
            #expect(answer["closed"] == 2)
            // Nothing of all this was written.
            #expect(try served.store.annotations(ofRun: served.runs[0]).notes.map(\.text) == [HostileStore.attack])
        }
    }
}
