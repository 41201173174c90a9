import Files
import Foundation
import Report
import TestSupport
import Testing

/// Heat maps and bars, as an XML parser sees them.
@Suite struct MapAndBarTests {
    private struct Picture: Decodable {
        /// x, y, width, height, brightness of the colour.
        let rectangles: [[Double]]
        let texts: [String]
        let lines: [[Double]]
    }

    private func parsed(_ svg: String) throws -> Picture {
        try pythonJSON(
            """
            import xml.etree.ElementTree as tree
            nodes = list(tree.parse('input').getroot().iter())
            of = lambda kind: [n for n in nodes if n.tag == '{http://www.w3.org/2000/svg}' + kind]
            light = lambda c: sum(int(c[i:i + 2], 16) for i in (1, 3, 5)) if len(c) == 7 else -1
            print(json.dumps(dict(
                rectangles=[[float(n.get(k)) for k in ('x', 'y', 'width', 'height')] + [light(n.get('fill'))]
                            for n in of('rect') if n.get('x')],
                texts=[n.text or '' for n in of('text')],
                lines=[[float(n.get(k)) for k in ('x1', 'y1', 'x2', 'y2')] for n in of('line')])))
            """, input: svg
        ).decode()
    }

    @Test func cellsAreDarkerForMore() throws {
        let map = HeatMap(
            title: "a < b", xLabel: "token", yLabel: "of what", rowLabels: ["one", "two"], columnLabels: ["0", "1", "2"],
            cells: [
                [.init(0, text: "0.00"), .init(0.5, text: "0.50"), .init(1, text: "1.00")],
                [.init(nil), .init(.nan), .init(7, text: "7.00")],
            ], legend: "share", range: 0...1)
        let picture = try parsed(map.svg())
        let cells = Array(picture.rectangles.prefix(6))
        #expect(cells[0][4] > cells[1][4] && cells[1][4] > cells[2][4])
        // Beyond the range: the nearest end's colour; not measured: a grey of its own.
        #expect(cells[5][4] == cells[2][4] && cells[3][4] == cells[4][4] && cells[3][4] == 3 * 0xee)
        #expect(cells[0][1] == cells[2][1] && cells[0][0] == cells[3][0] && cells[0][1] < cells[3][1])
        for text in ["a < b", "one", "two", "0.50", "7.00", "token", "of what", "share"] { #expect(picture.texts.contains(text)) }
        #expect(!map.svg().contains("nan"))
    }

    @Test func textsThatDoNotFitAreLeftOut() throws {
        let cells = [(0..<49).map { HeatMap.Cell(Double($0), text: "12.34 ± 5.67") }]
        let map = HeatMap(
            title: "t", xLabel: "x", yLabel: "y", rowLabels: ["r"], columnLabels: (0..<49).map(String.init), cells: cells, legend: "l")
        let texts = try parsed(map.svg()).texts
        #expect(!texts.contains("12.34 ± 5.67"))
        #expect(texts.contains("0") && texts.filter { Int($0) != nil }.count < 49)
    }

    @Test func barsStandOnZero() throws {
        let plot = BarPlot(
            title: "t", xLabel: "group", yLabel: "nats", groups: ["a", "b"],
            series: [
                .init("one", values: [.init(2, interval: 1...3), .init(-1, interval: -2...0)]),
                .init("two", values: [.init(4), nil]),
            ])
        let picture = try parsed(plot.svg())
        let bars = picture.rectangles
        #expect(bars.count == 3)
        // In order: group a with both series, then group b.
        let (first, second, third) = (bars[0], bars[1], bars[2])
        #expect(abs(second[3] / first[3] - 2) < 0.01 && abs(first[3] / third[3] - 2) < 0.01)
        let zero = first[1] + first[3]
        #expect(abs(second[1] + second[3] - zero) < 0.02 && abs(third[1] - zero) < 0.02)
        // Ends of the first interval: one unit above and below the bar's top.
        let unit = first[3] / 2
        #expect(
            picture.lines.contains {
                $0[0] == $0[2] && abs(min($0[1], $0[3]) - (first[1] - unit)) < 0.02 && abs(max($0[1], $0[3]) - (first[1] + unit)) < 0.02
            })
        for text in ["a", "b", "one", "two", "group", "nats"] { #expect(picture.texts.contains(text)) }
    }

    @Test func nothingToShowIsSaid() throws {
        let plot = BarPlot(title: "t", xLabel: "group", yLabel: "y", groups: ["a"], series: [.init("one", values: [nil])])
        #expect(try parsed(plot.svg()).texts.contains("no data"))
    }
}
