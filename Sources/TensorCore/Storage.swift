import Foundation
import Synchronization

/// A block of float32 memory. Blocks come from a pool and go back to it when the last tensor lets go,
/// so that a training step, once warm, asks the system for nothing.
public final class Storage {
    public let pointer: UnsafeMutablePointer<Float>
    public let count: Int
    private let bucket: Int

    /// Contents are undefined.
    public init(count: Int) {
        self.count = count
        (pointer, bucket) = BufferPool.shared.take(BufferPool.bucket(forCount: count))
    }

    deinit { BufferPool.shared.give(pointer, bucket) }
}

/// What the buffer pool holds, in bytes.
public struct MemoryUse: Sendable {
    /// In use by tensors now.
    public var live: Int
    /// The most that was in use at once since the last `resetPeak`.
    public var peak: Int
    /// Taken from the system, in use or kept for reuse.
    public var reserved: Int
    /// Number of times the system was asked for memory.
    public var systemAllocations: Int
}

/// Free blocks by size class: powers of two in four steps each, so at most a fifth of a block is unused.
public final class BufferPool: Sendable {
    public static let shared = BufferPool()

    private struct State: ~Copyable {
        var free: [Int: [UInt]] = [:]
        var use = MemoryUse(live: 0, peak: 0, reserved: 0, systemAllocations: 0)
    }

    private let state = Mutex(State())

    /// Live, peak and reserved memory of all tensors in this process.
    public var use: MemoryUse { state.withLock { $0.use } }

    public func resetPeak() { state.withLock { $0.use.peak = $0.use.live } }

    /// Returns kept blocks to the system.
    public func trim() {
        state.withLock { state in
            for (size, blocks) in state.free {
                for address in blocks { UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }
                state.use.reserved -= size * blocks.count
            }
            state.free = [:]
        }
    }

    /// Size in bytes of the class that holds `count` floats.
    fileprivate static func bucket(forCount count: Int) -> Int {
        let bytes = max(64, count * MemoryLayout<Float>.stride)
        let power = 1 << (Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount)
        let step = max(64, power / 4)
        return (bytes + step - 1) / step * step
    }

    /// A block of `size` or, where only those are free, of one of the next classes, up to half as much again: that wastes
    /// less than to hold both.
    fileprivate func take(_ wanted: Int) -> (UnsafeMutablePointer<Float>, size: Int) {
        let (address, size) = state.withLock { state -> (UInt, Int) in
            var (found, size) = (state.free[wanted]?.popLast(), wanted)
            var next = wanted
            while found == nil, wanted >= Self.shareable, next < wanted * 3 / 2 {
                next = Self.bucket(forCount: next / MemoryLayout<Float>.stride + 1)
                if let address = state.free[next]?.popLast() { (found, size) = (address, next) }
            }
            state.use.live += size
            state.use.peak = max(state.use.peak, state.use.live)
            if let found { return (found, size) }
            state.use.reserved += size
            state.use.systemAllocations += 1
            return (UInt(bitPattern: Self.allocate(size)), size)
        }
        guard let raw = UnsafeMutableRawPointer(bitPattern: address) else {
            fatalError("no memory for \(size) bytes")
        }
        return (raw.assumingMemoryBound(to: Float.self), size)
    }

    /// Smaller blocks are not worth a search.
    private static let shareable = 1 << 20

    /// Large blocks ask for huge pages: kernels stream through them, and page table walks would cost a good part.
    private static func allocate(_ size: Int) -> UnsafeMutableRawPointer {
        let huge = 2 << 20
        guard size >= huge else { return .allocate(byteCount: size, alignment: 64) }
        let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: huge)
        madvise(block, size, Int32(MADV_HUGEPAGE))
        return block
    }

    fileprivate func give(_ pointer: UnsafeMutablePointer<Float>, _ size: Int) {
        let address = UInt(bitPattern: pointer)
        state.withLock { state in
            state.use.live -= size
            state.free[size, default: []].append(address)
        }
    }
}
