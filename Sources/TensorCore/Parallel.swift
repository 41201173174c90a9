import CKernels

/// Work split over the cores. The split depends on sizes and on the number of threads, never on timing.
///
///     let sums = Parallel.map(images.count) { images[$0].reduce(0, +) }
public enum Parallel {
    /// Threads that kernels run on: `PROLOGUE_THREADS`, or the cores this process may use.
    public static var threads: Int {
        get { Int(parallel_thread_count()) }
        set { parallel_set_thread_count(Int32(newValue)) }
    }

    /// Calls `body` for every chunk `0..<chunks`, on all threads.
    public static func chunks(_ chunks: Int, _ body: (Int) -> Void) {
        guard chunks > 1 else {
            if chunks == 1 { body(0) }
            return
        }
        withoutActuallyEscaping(body) { body in
            var context = body
            withUnsafeMutablePointer(to: &context) { pointer in
                parallel_chunks(
                    chunks,
                    { context, chunk in
                        context!.assumingMemoryBound(to: ((Int) -> Void).self).pointee(chunk)
                    }, pointer)
            }
        }
    }

    /// What `body` makes of every number `0..<count`, in order, worked out on all threads.
    public static func map<Value>(_ count: Int, _ body: (Int) -> Value) -> [Value] {
        var values = [Value?](repeating: nil, count: count)
        values.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let values = buffer
            chunks(count) { values[$0] = body($0) }
        }
        return values.compactMap { $0 }
    }

    /// Splits `0..<count` into ranges of about `grain` or more items, at most `limit` of them.
    public static func ranges(_ count: Int, grain: Int, limit: Int = 64, _ body: (Range<Int>) -> Void) {
        let parts = max(1, min(limit, count / max(1, grain)))
        let size = (count + parts - 1) / parts
        chunks(parts) { part in
            let lower = min(count, part * size)
            let range = lower..<min(count, lower + size)
            if !range.isEmpty { body(range) }
        }
    }

    /// Ranges over single elements of a cheap elementwise loop.
    static func elements(_ count: Int, _ body: (Range<Int>) -> Void) {
        ranges(count, grain: 16384, limit: 4 * threads, body)
    }

    /// Ranges over rows of `width` elements.
    static func rows(_ rows: Int, width: Int, _ body: (Range<Int>) -> Void) {
        ranges(rows, grain: max(1, 16384 / max(1, width)), limit: 4 * threads, body)
    }

    /// Adds up what `body` writes to a zeroed row of `width` for each of a fixed number of row ranges.
    /// The ranges do not depend on the number of threads, so neither does the rounding.
    static func rowSums(
        rows: Int, width: Int, into sum: UnsafeMutablePointer<Float>, accumulates: Bool,
        _ body: (_ partial: UnsafeMutablePointer<Float>, _ rows: Range<Int>) -> Void
    ) {
        let parts = max(1, min(16, rows / 64))
        let partials = Storage(count: parts * width)
        partials.pointer.update(repeating: 0, count: parts * width)
        let size = (rows + parts - 1) / parts
        chunks(parts) { part in
            let lower = min(rows, part * size)
            body(partials.pointer + part * width, lower..<min(rows, lower + size))
        }
        if !accumulates { sum.update(repeating: 0, count: width) }
        for part in 0..<parts { add_into(sum, partials.pointer + part * width, width) }
    }
}
