/// What every page has around its content.
struct Layout {
    var title: String
    /// What the page follows; nil for pages that do not change by themselves.
    var topic: Topic?
    /// Whether this visitor may write.
    var isTrusted: Bool
    var here: Place?
    /// Whether the browser asks for the page again at once.
    var isReloaded = false

    enum Place: String, CaseIterable {
        case sweeps = "Sweeps", history = "History", draw = "Draw"

        var path: String {
            switch self {
            case .sweeps: "/"
            case .history: "/history"
            case .draw: "/draw"
            }
        }
    }

    func page(_ content: HTML) -> HTML {
        let links = Place.allCases.map { place -> HTML in
            let current: HTML = place == here ? " aria-current=\"page\"" : ""
            return "<li><a href=\"\(place.path)\"\(current)>\(place.rawValue)</a></li>"
        }
        let reload: HTML = isReloaded ? "\n<meta http-equiv=\"refresh\" content=\"0\">" : .empty
        let events: HTML = topic.map { " data-events=\"\($0.address)\"" } ?? ""
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">\(reload)
            <title>\(title) – Prologue</title>
            <link rel="stylesheet" href="/live.css">
            <link rel="icon" href="/icon.svg" type="image/svg+xml">
            <script src="/live.js" defer></script>
            </head>
            <body\(events)>
            <a class="skip" href="#content">Skip to the content</a>
            <header>
            <nav aria-label="Pages"><ul>\(links)</ul></nav>
            <p id="connection" role="status"></p>
            </header>
            <main id="content" tabindex="-1">
            <h1>\(title)</h1>
            \(content)
            </main>
            </body>
            </html>

            """
    }
}

/// A part of a page that is replaced where it has changed, and told apart from what a visitor has by a digest.
struct LivePart: Sendable {
    let id: String
    private let content: HTML
    /// Of the content, while this server runs.
    let version: String

    init(_ id: String, _ content: HTML) {
        (self.id, self.content) = (id, content)
        var hasher = Hasher()
        hasher.combine(content.text)
        version = String(UInt(bitPattern: hasher.finalize()), radix: 36)
    }

    var html: HTML { "<section id=\"\(id)\" data-live=\"\(version)\">\n\(content)\n</section>\n" }
}

extension HTML {
    static func live(_ id: String, _ content: HTML) -> HTML { LivePart(id, content).html }
}
