import Foundation

/// Address space that large blocks are cut from: each from the lowest free place that holds it, joined with its free neighbours
/// when it is given back. So blocks of one size become blocks of another, and what was ever used stays short.
///
/// Space is asked for in regions far larger than memory; only pages that are written to take any.
package struct Arena {
    private struct Extent {
        var start: UInt
        var size: Int
        var end: UInt { start + UInt(size) }
    }

    private struct Region {
        let start, end: UInt
        /// Everything from here on was never part of a block, or given back to the system.
        var touched: UInt
    }

    /// By address; no two of them touch.
    private var free: [Extent] = []
    private var regions: [Region] = []

    package init() {}

    /// Sizes are multiples of this: a page.
    package static let granule = 4096

    /// From the beginning of each region to the end of the highest block that was ever in it, in bytes.
    package var reserved: Int { regions.reduce(0) { $0 + Int($1.touched - $1.start) } }

    /// The address of a block of `size` bytes; nil: the system has no such space.
    package mutating func take(_ size: Int) -> UInt? {
        precondition(size > 0 && size % Self.granule == 0, "blocks are whole pages")
        if !free.contains(where: { $0.size >= size }) {
            guard addRegion(holding: size) else { return nil }
        }
        guard let index = free.firstIndex(where: { $0.size >= size }) else { return nil }
        let start = free[index].start
        free[index].start += UInt(size)
        free[index].size -= size
        if free[index].size == 0 { free.remove(at: index) }
        if let region = regions.firstIndex(where: { $0.start <= start && start < $0.end }) {
            regions[region].touched = max(regions[region].touched, start + UInt(size))
        }
        return start
    }

    package mutating func give(_ block: UInt, _ size: Int) { insert(Extent(start: block, size: size)) }

    /// Gives the memory of all that is free back to the system; the addresses stay.
    package mutating func trim() {
        for extent in free {
            madvise(UnsafeMutableRawPointer(bitPattern: extent.start), extent.size, Int32(MADV_DONTNEED))
        }
        for index in regions.indices {
            regions[index].touched = free.first { $0.end == regions[index].end }?.start ?? regions[index].end
        }
    }

    private mutating func insert(_ extent: Extent) {
        var (low, high) = (0, free.count)
        while low < high {
            let middle = (low + high) / 2
            if free[middle].start < extent.start { low = middle + 1 } else { high = middle }
        }
        let joinsNext = low < free.count && free[low].start == extent.end
        if low > 0 && free[low - 1].end == extent.start {
            free[low - 1].size += extent.size
            if joinsNext { free[low - 1].size += free.remove(at: low).size }
        } else if joinsNext {
            free[low].start = extent.start
            free[low].size += extent.size
        } else {
            free.insert(extent, at: low)
        }
    }

    /// Where the address space is limited, a smaller region must do.
    private mutating func addRegion(holding size: Int) -> Bool {
        for wanted in [64 << 30, 256 << 20, size] where wanted >= size {
            // A page in front that is never used keeps extents of two regions from joining.
            let length = wanted + Self.granule
            let flags = MAP_PRIVATE | Int32(MAP_ANONYMOUS) | Int32(MAP_NORESERVE)
            guard let base = mmap(nil, length, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else { continue }
            // Kernels stream through large blocks, and page table walks would cost a good part.
            madvise(base, length, Int32(MADV_HUGEPAGE))
            let start = UInt(bitPattern: base) + UInt(Self.granule)
            regions.append(Region(start: start, end: start + UInt(wanted), touched: start))
            insert(Extent(start: start, size: wanted))
            return true
        }
        return false
    }
}
