/// What line plots and bar plots have in common: title, legend, the y axis with its grid, and the names of both axes.
struct PlotFrame {
    let left, top, right, bottom: Double
    let y: Axis
    /// All of it as SVG, to be drawn before the data.
    let svg: String

    var width: Double { right - left }
    var height: Double { bottom - top }

    init(
        title: String, xLabel: String, yLabel: String, y: Axis, legend entries: [Legend.Entry], width: Double, height: Double,
        isEmpty: Bool
    ) {
        let legend = Legend(entries, width: width - 40)
        left = 48 + 7.5 * Double(y.labels.map(\.count).max() ?? 1)
        (top, right, bottom) = (50 + legend.height, width - 24, height - 56)
        self.y = y
        var svg = Drawing.opening(title: title, width: width, height: height) + legend.svg
        for (tick, label) in zip(y.ticks, y.labels) {
            guard let place = y.place(tick) else { continue }
            let height = bottom - place * (bottom - top)
            svg += Drawing.line(left, height, right, height, .grid)
            svg += Drawing.text(label, x: left - 8, y: height + 4.5, anchor: "end")
        }
        let (middle, centre) = ((left + right) / 2, (top + bottom) / 2)
        svg += Drawing.text(xLabel, x: middle, y: bottom + 44, anchor: "middle")
        svg += Drawing.upright(yLabel, x: 20, y: centre, length: height - top - 20)
        if isEmpty { svg += Drawing.text("no data", x: middle, y: centre, anchor: "middle") }
        self.svg = svg
    }

    /// Where a value stands, in pixels; at the bottom what the axis cannot show.
    func height(of value: Double) -> Double { bottom - (y.place(value) ?? 0) * height }
}
