import Files
import Foundation
import Report
import TestSupport
import Testing

@Suite struct LinePlotTests {
    /// What an XML parser sees.
    private struct Picture: Decodable {
        let texts: [String]
        /// Labels of the y axis, from the bottom up.
        let yLabels: [String]
        let circles: Int
        /// Points of each curve and each band, in pixels inside the frame.
        let lines: [[[Double]]]
        let bands: [[[Double]]]
        /// Width and height of the frame.
        let size: [Double]
    }

    private func parsed(_ plot: LinePlot) throws -> Picture {
        try pythonJSON(
            """
            import xml.etree.ElementTree as tree
            nodes = list(tree.parse('input').getroot().iter())
            of = lambda kind: [n for n in nodes if n.tag == '{http://www.w3.org/2000/svg}' + kind]
            pairs = lambda n: [[float(v) for v in p.split(',')] for p in n.get('points').split()]
            frame = of('svg')[1]
            print(json.dumps(dict(
                texts=[n.text or '' for n in of('text')], circles=len(of('circle')),
                yLabels=[n.text for n in of('text') if n.get('text-anchor') == 'end'],
                lines=[pairs(n) for n in of('polyline')], bands=[pairs(n) for n in of('polygon')],
                size=[float(frame.get(side)) - 8 for side in ('width', 'height')])))
            """, input: plot.svg()
        ).decode()
    }

    @Test func linesBandsAndLabels() throws {
        let plot = LinePlot(
            title: "gFID <during> \"training\" & after", xLabel: "steps", yLabel: "gFID",
            series: [
                .init(
                    "baseline-2d",
                    points: [
                        .init(x: 0, y: 50, band: 40...60), .init(x: 500, y: 30, band: 28...32), .init(x: 1000, y: 20, band: 10...21),
                    ]),
                .init("prologue", points: [.init(x: 0, y: 45), .init(x: 500, y: .nan), .init(x: 1000, y: 15)], isDashed: true),
            ])
        let picture = try parsed(plot)
        #expect(picture.texts.starts(with: ["gFID <during> \"training\" & after", "baseline-2d", "prologue"]))
        for label in ["steps", "gFID", "0", "200", "1000"] { #expect(picture.texts.contains(label)) }
        #expect(picture.yLabels == ["10", "20", "30", "40", "50", "60"])
        // The dashed series has a gap in the middle, so it is two lone points.
        #expect(picture.circles == 5)
        let (width, height) = (picture.size[0], picture.size[1])
        func isNear(_ points: [[Double]], _ expected: [(Double, Double)]) -> Bool {
            points.count == expected.count
                && zip(points, expected).allSatisfy { point, expected in
                    abs(point[0] - expected.0 * width) < 0.02 && abs(point[1] - (60 - expected.1) / 50 * height) < 0.02
                }
        }
        #expect(picture.lines.count == 1 && isNear(picture.lines[0], [(0, 50), (0.5, 30), (1, 20)]))
        #expect(
            picture.bands.count == 1
                && isNear(picture.bands[0], [(0, 60), (0.5, 32), (1, 21), (1, 10), (0.5, 28), (0, 40)]))
    }

    @Test func logarithmicAxes() throws {
        var plot = LinePlot(
            title: "t", xLabel: "tokens", yLabel: "loss",
            series: [
                .init("a", points: [1, 10, 100, 1000, 10_000].map { .init(x: $0, y: $0) } + [.init(x: 0, y: -1)])
            ])
        plot.xScale = .logarithmic
        plot.yScale = .logarithmic
        let picture = try parsed(plot)
        // Zero and below cannot be shown.
        #expect(picture.lines.count == 1 && picture.lines[0].count == 5)
        for (i, point) in picture.lines[0].enumerated() {
            #expect(abs(point[0] - picture.size[0] * Double(i) / 4) < 0.02)
            #expect(abs(point[1] - picture.size[1] * (1 - Double(i) / 4)) < 0.02)
        }
        #expect(picture.yLabels == ["1", "10", "100", "1000", "10\u{202F}000"])
    }

    @Test func shownRangeCanBeChosen() throws {
        var plot = LinePlot(
            title: "t", xLabel: "x", yLabel: "y",
            series: [
                .init("a", points: [.init(x: 0, y: 1000), .init(x: 1, y: 2), .init(x: 2, y: 1)])
            ])
        plot.yRange = 0...4
        let picture = try parsed(plot)
        #expect(picture.yLabels == ["0", "1", "2", "3", "4"])
        #expect(abs(picture.lines[0][1][1] - picture.size[1] / 2) < 0.02)
        #expect(picture.lines[0][0][1] < 0, "drawn above the frame, where it is cut off")
    }

    @Test(arguments: [[], [LinePlot.Point(x: 3, y: .nan)], [LinePlot.Point(x: 3, y: 7)], [LinePlot.Point(x: 0, y: 0)]])
    func littleOrNoData(points: [LinePlot.Point]) throws {
        let plot = LinePlot(title: "t", xLabel: "x", yLabel: "y", series: [.init("a", points: points)])
        let picture = try parsed(plot)
        let shown = points.count { $0.y.isFinite }
        #expect(picture.circles == shown)
        #expect(picture.texts.contains("no data") == (shown == 0))
        #expect(!plot.svg().contains("nan") && !plot.svg().contains("inf"))
    }

    @Test(arguments: [
        (0.0, 1.0), (0.0031, 0.0034), (-5, 12_345), (1e-9, 3e-9), (999_999, 1_000_001), (-3e8, 4e8), (-0.2, -0.1),
    ])
    func ticksAreFewDistinctAndCoverTheData(low: Double, high: Double) throws {
        let plot = LinePlot(
            title: "", xLabel: "", yLabel: "",
            series: [
                .init("", points: [.init(x: 0, y: low), .init(x: 1, y: high)])
            ])
        let ticks = try parsed(plot).yLabels.map { try #require(Double($0.replacing("\u{202F}", with: ""))) }
        let room = (high - low) * 1e-9
        #expect(ticks.count >= 3 && ticks.count <= 9)
        #expect(zip(ticks, ticks.dropFirst()).allSatisfy { $0 < $1 })
        #expect(ticks.first.map { $0 <= low + room } == true && ticks.last.map { $0 >= high - room } == true)
    }

    /// An interval of few seeds may reach below zero where nothing can be; its band ends there, and so does the axis.
    @Test func bandsEndWhereValuesDo() throws {
        var plot = LinePlot(
            title: "t", xLabel: "x", yLabel: "gFID",
            series: [
                .init("a", points: [.init(x: 0, y: 10, band: -30...50), .init(x: 1, y: 5, band: -2...12)])
            ])
        plot.possible = 0...Double.infinity
        let picture = try parsed(plot)
        #expect(picture.yLabels.first == "0")
        #expect(picture.bands[0].map { $0[1] }.max().map { abs($0 - picture.size[1]) < 0.02 } == true)
    }

    @Test(
        arguments: [
            ([1.0, 9.9], LinePlot.Scale.linear), ([1, 10], .logarithmic), ([0, 100], .linear), ([-1, 100], .linear), ([], .linear),
            ([.nan, 1, 1000], .logarithmic),
        ] as [([Double], LinePlot.Scale)])
    func logarithmsWhereTheyHelp(_ values: [Double], _ scale: LinePlot.Scale) {
        #expect(LinePlot.Scale.suiting(values) == scale)
    }

    /// Long names neither leave the picture nor each other.
    @Test func longTitlesShrink() throws {
        let name = String(repeating: "tokenizer.variant=prologue,", count: 10)
        let svg = LinePlot(title: name, xLabel: "x", yLabel: name, series: [.init(name, points: [.init(x: 0, y: 1)])]).svg()
        let sizes = svg.matches(of: /font-size="([0-9.]+)"/).compactMap { Double($0.1) }
        #expect(sizes.count >= 3 && sizes.allSatisfy { $0 >= 6 && $0 <= 16 } && sizes.contains { $0 < 8 })
        #expect(svg.contains("…"), "the legend's name is cut")
    }
}
