/// Many short texts in one block of memory. A million strings take two to three times as much.
struct PackedTexts: Sendable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    var count: Int { ends.count }

    mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        ends.append(bytes.count)
    }

    /// Text number `place` in UTF-8.
    func utf8(_ place: Int) -> ArraySlice<UInt8> { bytes[(place == 0 ? 0 : ends[place - 1])..<ends[place]] }

    subscript(place: Int) -> String { String(decoding: utf8(place), as: UTF8.self) }

    /// The places of all texts in order of their bytes, equal ones as they came.
    func order() -> [Int] {
        var order = Array(ends.indices)
        let isSorted = order.dropFirst().allSatisfy { !Self.precedes(utf8($0), utf8($0 - 1)) }
        if !isSorted { order.sort { Self.precedes(utf8($0), utf8($1)) } }
        return order
    }

    /// Whether the bytes of `left` come before those of `right`.
    static func precedes(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
        left.withUnsafeBufferPointer { left in
            right.withUnsafeBufferPointer { right in
                for place in 0..<min(left.count, right.count) where left[place] != right[place] { return left[place] < right[place] }
                return left.count < right.count
            }
        }
    }
}
