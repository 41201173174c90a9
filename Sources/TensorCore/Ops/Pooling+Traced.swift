/// Traced forms of `Pooling.swift`.
extension Program {
    func maxPool(_ x: Tensor, window: Window) -> Tensor {
        let places = WindowPlaces(window, over: x.shape, op: "maxPool")
        // Padding never is the largest.
        let padded = node(x).padded(with: -.infinity, low: places.low, high: places.high)
        let y = padded.windows(.maximum, size: places.size, strides: places.strides, padding: places.nothing)
        return record(y, from: [x]) { dy in
            // Of equal ones the first counts.
            var (taken, dx) = (y.compare(.notEqual, y), self.constant(0, padded.shape))
            for place in places.offsets {
                let isLargest = padded.sliced(places.ranges(place), strides: places.strides).compare(.equal, y)
                let isFirst = isLargest.and(taken.apply(.not))
                taken = taken.or(isLargest)
                dx = dx + places.spread(isFirst.select(dy, 0), place)
            }
            return [dx.padded(low: places.low.map { -$0 }, high: places.high.map { -$0 })]
        }
    }

    func averagePool(_ x: Tensor, window: Window, countingPadding: Bool) -> Tensor {
        let places = WindowPlaces(window, over: x.shape, op: "averagePool")
        func share(_ axis: Int, _ size: Int) -> [Float] {
            (0..<places.outputs[axis]).map { i in
                let start = i * window.stride - places.low[axis]
                return 1 / Float(countingPadding ? size : min(x.shape[axis], start + size) - max(0, start))
            }
        }
        let sums = node(x).padded(low: places.low, high: places.high).windows(
            .add, size: places.size, strides: places.strides, padding: places.nothing)
        let shares = [(1, window.height), (2, window.width)].map { axis, size in
            constant(share(axis, size), [places.outputs[axis]]).broadcast(to: sums.shape, axes: [axis])
        }
        let factor = shares[0] * shares[1]
        return record(sums * factor, from: [x]) { dy in
            let spread = places.offsets.map { places.spread(dy * factor, $0) }
            let sum = spread.dropFirst().reduce(spread[0], +)
            return [sum.padded(low: places.low.map { -$0 }, high: places.high.map { -$0 })]
        }
    }

    func globalAveragePool(_ x: Tensor) -> Tensor {
        let area = Double(x.shape[1] * x.shape[2])
        return record(node(x).sum([1, 2]) / area, from: [x]) { [($0 / area).broadcast(to: x.shape, axes: [0, 3])] }
    }
}

/// Where a window's entries lie in images [B, H, W, C] that are padded for it.
private struct WindowPlaces {
    let size, strides, low, high, outputs: [Int]
    /// Extents of padded images.
    private let extent: [Int]
    let nothing = [(low: Int, high: Int)](repeating: (0, 0), count: 4)

    init(_ window: Window, over shape: Shape, op: String) {
        let geometry = window.over(shape, op: op)
        (size, strides) = ([1, window.height, window.width, 1], [1, window.stride, window.stride, 1])
        (low, high) = ([0, window.top, window.left, 0], [0, window.bottom, window.right, 0])
        outputs = [shape[0], geometry.out_height, geometry.out_width, shape[3]]
        extent = shape.indices.map { [low, high] in shape[$0] + low[$0] + high[$0] }
    }

    /// Row and column of each entry of a window.
    var offsets: [(row: Int, column: Int)] { (0..<size[1]).flatMap { row in (0..<size[2]).map { (row, $0) } } }

    /// That entry of all windows.
    func ranges(_ place: (row: Int, column: Int)) -> [Range<Int>] {
        [0, place.row, place.column, 0].enumerated().map { axis, start in
            start..<start + (outputs[axis] - 1) * strides[axis] + 1
        }
    }

    /// Numbers of all windows at that entry's place in padded images of zeros.
    func spread(_ x: Node, _ place: (row: Int, column: Int)) -> Node {
        let ranges = ranges(place)
        return x.padded(
            low: ranges.map(\.lowerBound), high: ranges.indices.map { extent[$0] - ranges[$0].upperBound },
            interior: strides.map { $0 - 1 })
    }
}
