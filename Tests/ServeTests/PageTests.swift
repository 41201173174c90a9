import Files
import Foundation
import RunStore
import Serve
import Testing
import TestSupport

/// Pages as Python's HTML parser sees them, and what writing through them leaves in the store.
@Suite struct PageTests {
    private static let client = """
        import json, sys, urllib.request, urllib.parse, urllib.error, socket
        from html.parser import HTMLParser
        root, token, run, other, sweep = sys.argv[1:6]
        void = {'meta', 'link', 'input', 'br', 'img'}
        class Page(HTMLParser):
            def __init__(self, text):
                super().__init__()
                self.open, self.tags, self.texts, self.problems, self.labels, self.ids = [], [], [], [], 0, []
                self.feed(text)
                if self.open: self.problems.append(f'open: {self.open}')
            def handle_starttag(self, tag, attributes):
                a = dict(attributes)
                self.tags.append(tag)
                if 'id' in a: self.ids.append(a['id'])
                for name, value in a.items():
                    if name.startswith('on') or name == 'style': self.problems.append(f'{tag} {name}')
                    if name in ('href', 'src', 'action') and not value.startswith(('/', '#')): self.problems.append(f'{tag} {name} {value}')
                if tag == 'script' and a.get('src') != '/live.js': self.problems.append('a script')
                if tag == 'img' and not a.get('alt'): self.problems.append('img without alt')
                controls = tag in ('select', 'textarea') or tag == 'input' and a.get('type') != 'hidden'
                if controls and 'label' not in self.open and 'aria-label' not in a: self.problems.append(f'{tag} without a label: {a}')
                if tag not in void: self.open.append(tag)
            def handle_startendtag(self, tag, attributes): self.handle_starttag(tag, attributes); self.handle_endtag(tag) if tag not in void else None
            def handle_endtag(self, tag):
                if tag in void: return
                if not self.open or self.open.pop() != tag: self.problems.append(f'</{tag}>')
            def handle_data(self, data): self.texts.append(data)
        def get(path, data=None, headers={}):
            body = urllib.parse.urlencode(data).encode() if data is not None else None
            class Stay(urllib.request.HTTPRedirectHandler):
                def redirect_request(self, *a): return None
            opener = urllib.request.build_opener(Stay)
            try: answer = opener.open(urllib.request.Request(root + path, body, headers))
            except urllib.error.HTTPError as error: answer = error
            return answer.status, dict(answer.headers), answer.read()
        # A sweep of many runs is announced before it is read, once.
        sweep_path = '/sweep/' + urllib.parse.quote(sweep, safe='')
        first, second = [get(sweep_path)[2].decode() for _ in range(2)]
        announced = ['http-equiv="refresh"' in text and 'Reading what' in text for text in (first, second)]
        found = {}
        run_path = '/run/' + urllib.parse.quote(run, safe='')
        for path in ['', sweep_path, run_path, '/history', '/history?q=seed+%3D+1', '/history?q=nonsense+%3D+1',
                     '/draw', f'/compare?run={run}&run={other}', '/nothing']:
            status, headers, body = get(path.lstrip() or '/')
            page = Page(body.decode('utf-8'))
            found[path or '/'] = {'status': status, 'problems': page.problems, 'text': ' '.join(page.texts), 'plots': page.tags.count('polyline'),
                                  'doubles': sorted({i for i in page.ids if page.ids.count(i) > 1})}
        # An update brings those parts of the page that follow the store and are not as the page has them, and nothing else.
        import re
        def parts(text): return {i: (version, content) for i, version, content in
                                 re.findall(r'<section id="([a-z]+)" data-live="([0-9a-z]+)">(.*?)</section>', text, re.DOTALL)}
        def update(held): return get(sweep_path, headers={'X-Live-Parts': '&'.join(f'{i}={v}' for i, v in held.items())})[2].decode()
        whole, everything = get(sweep_path)[2].decode(), update({'other': '1'})
        versions = {i: version for i, (version, _) in parts(whole).items()}
        updates = [parts(whole) == parts(everything) and len(parts(whole)) >= 6, '<form' in whole, '<form' in everything,
                   list(parts(update(versions))), list(parts(update(versions | {'curves': 'old'})))]
        auth = {'Authorization': 'Bearer ' + token}
        written = [get(run_path + '/notes', {'text': 'from <b>Python</b>'}, auth)[0], get(run_path + '/notes', {'text': 'changed', 'remove': '1'}, auth)[0],
                   get(run_path + '/tags', {'add': 'good'}, auth)[0], get(run_path + '/tags', {'remove': 'good'}, auth)[0]]
        status, headers, _ = get('/?token=' + token)
        cookie = headers.get('Set-Cookie', '')
        by_cookie = get(run_path + '/tags', {'add': 'by-cookie'}, {'Cookie': cookie.split(';')[0]})[0]
        # Many streams at once, of which one hears of a change.
        port = int(root.rsplit(':', 1)[1])
        streams = []
        for i in range(200):
            s = socket.create_connection(('127.0.0.1', port)); s.settimeout(30)
            s.sendall(f'GET /events{run_path} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n'.encode())
            streams.append(s)
        for s in streams:
            data = b''
            while b'retry' not in data: data += s.recv(4096)
        import time
        heard, data = 0, [b''] * 200
        time.sleep(2.5)
        get(run_path + '/notes', {'text': 'news'}, auth)
        for s in streams:
            data = b''
            while b'event: change' not in data: data += s.recv(4096)
            heard += 1
        while_open = get('/')[0]
        csv = get('/history.csv?q=' + urllib.parse.quote('order by seed'))[2].decode()
        print(json.dumps({'pages': found, 'written': written, 'redirect': status, 'cookie': cookie, 'by_cookie': by_cookie, 'heard': heard,
                          'while_open': while_open, 'csv': csv, 'updates': updates, 'announced': announced}))
        """

    @Test func pagesAreWholeAndSafe() throws {
        try HostileStore.with { served in
            let root = String(served.server.address.dropLast())
            let answer = try JSONValue(
                parsing: Data(python(Self.client, root, served.token, served.runs[0], served.runs[1], HostileStore.attack).utf8))
            for (path, page) in answer["pages"]?.objectValue ?? [:] {
                #expect(page["status"] == (path == "/nothing" ? 404 : 200), "\(path)")
                #expect(page["problems"] == [], "\(path)")
                #expect(page["doubles"] == [], "\(path)")
            }
            let pages = answer["pages"]
            let run = pages?["/run/\(served.runs[0])"]
            // Every text arrives as it was written, and as nothing but text.
            #expect(run?["text"]?.stringValue?.contains(HostileStore.attack) == true)
            #expect((run?["plots"]?.intValue ?? 0) >= 4)
            #expect(pages?["/history?q=nonsense+%3D+1"]?["text"]?.stringValue?.contains("unknown key nonsense") == true)
            #expect(answer["updates"] == [true, true, false, [], ["curves"]])
            #expect(answer["announced"] == [true, false])
            #expect(answer["written"] == [303, 303, 303, 303])
            #expect(answer["redirect"] == 303)
            let cookie = answer["cookie"]?.stringValue ?? ""
            #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"))
            #expect(answer["by_cookie"] == 303)
            #expect(answer["heard"] == 200 && answer["while_open"] == 200)
            let annotations = try served.store.annotations(ofRun: served.runs[0])
            #expect(annotations.notes.map(\.text) == ["changed", "from <b>Python</b>", "news"])
            #expect(annotations.tags == [HostileStore.attack, "by-cookie"])
            let lines = answer["csv"]?.stringValue?.split(whereSeparator: \.isNewline).count ?? 0
            #expect(lines >= served.runs.count + 1)
        }
    }

    /// A server that reads ahead has read a sweep by the time it is asked for, if that is not at once: one that does not would announce
    /// the reading every time.
    @Test func whatIsReadAheadIsNotAnnounced() throws {
        try HostileStore.with { served in
            var options = LiveServer.Options()
            (options.port, options.readsAhead) = (0, true)
            let wasThere = try [0.2, 1, 5, 20].contains { (seconds: Double) in
                let server = try LiveServer(LiveStore(served.store, readAtOnce: 1), options)
                Thread.sleep(forTimeInterval: seconds)
                let ask =
                    "import sys, urllib.request, urllib.parse as p; "
                    + "print('Reading what' in urllib.request.urlopen(sys.argv[1] + 'sweep/' + p.quote(sys.argv[2], safe='')).read().decode())"
                let isAnnounced = try python(ask, server.address, HostileStore.attack)
                try server.stop()
                return isAnnounced.hasPrefix("False")
            }
            #expect(wasThere)
        }
    }
}
