import Foundation

/// Outlines of the ten classes of `Shapes`, about one unit in radius around the origin, y pointing down.
enum ShapeOutline {
    /// Part of the plane within `radius` of the origin, without a disc (`hole`) at (`holeX`, 0).
    case disc(radius: Float, holeX: Float, hole: Float)
    case polygon([SIMD2<Float>])

    /// No outline reaches further from the origin.
    static let reach: Float = 1.25

    static let all: [(name: String, outline: ShapeOutline)] = [
        ("circle", .disc(radius: 0.92, holeX: 0, hole: 0)),
        ("square", .polygon([[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]])),
        ("triangle", .polygon([[0, -0.95], [1, 0.78], [-1, 0.78]])),
        ("star", .polygon(star(points: 5, outer: 1.08, inner: 0.45))),
        ("cross", .polygon(cross(length: 0.95, half: 0.3))),
        ("ring", .disc(radius: 0.95, holeX: 0, hole: 0.55)),
        ("diamond", .polygon([[0, -1.08], [0.66, 0], [0, 1.08], [-0.66, 0]])),
        ("crescent", .disc(radius: 0.97, holeX: 0.5, hole: 0.8)),
        ("heart", .polygon(heart(vertices: 32))),
        ("hourglass", .polygon([[-0.8, -0.92], [0.8, -0.92], [0.12, 0], [0.8, 0.92], [-0.8, 0.92], [-0.12, 0]])),
    ]

    /// Distance of (x, y) to the outline, negative inside.
    func signedDistance(_ x: Float, _ y: Float) -> Float {
        switch self {
        case .disc(let radius, let holeX, let hole):
            let outer = (x * x + y * y).squareRoot() - radius
            if hole == 0 { return outer }
            let (dx, dy) = (x - holeX, y)
            return max(outer, hole - (dx * dx + dy * dy).squareRoot())
        case .polygon(let vertices):
            return vertices.withUnsafeBufferPointer { Self.signedDistance(SIMD2(x, y), $0) }
        }
    }

    /// The nearest edge gives the distance, the number of edges a ray to the right crosses gives the sign.
    private static func signedDistance(_ point: SIMD2<Float>, _ vertices: UnsafeBufferPointer<SIMD2<Float>>) -> Float {
        var nearest = Float.greatestFiniteMagnitude
        var inside = false
        var a = vertices[vertices.count - 1]
        for b in vertices {
            let edge = b - a
            let toPoint = point - a
            let along = min(max((toPoint.x * edge.x + toPoint.y * edge.y) / (edge.x * edge.x + edge.y * edge.y), 0), 1)
            let gapX = toPoint.x - along * edge.x
            let gapY = toPoint.y - along * edge.y
            nearest = min(nearest, gapX * gapX + gapY * gapY)
            if (a.y > point.y) != (b.y > point.y), toPoint.x < edge.x * toPoint.y / edge.y { inside.toggle() }
            a = b
        }
        return inside ? -nearest.squareRoot() : nearest.squareRoot()
    }

    private static func star(points: Int, outer: Float, inner: Float) -> [SIMD2<Float>] {
        (0..<2 * points).map { i in
            let angle = Float.pi * Float(i) / Float(points)
            return (i % 2 == 0 ? outer : inner) * SIMD2(sin(angle), -cos(angle))
        }
    }

    private static func cross(length l: Float, half h: Float) -> [SIMD2<Float>] {
        [
            [-h, -l], [h, -l], [h, -h], [l, -h], [l, h], [h, h],
            [h, l], [-h, l], [-h, h], [-l, h], [-l, -h], [-h, -h],
        ]
    }

    /// The curve x = 16 sin³t, y = 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t, scaled to one unit.
    private static func heart(vertices: Int) -> [SIMD2<Float>] {
        (0..<vertices).map { i in
            let t = 2 * Float.pi * Float(i) / Float(vertices)
            let s = sin(t)
            let y = 13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)
            return SIMD2(16 * s * s * s, -(y + 2.5)) / 16
        }
    }
}
