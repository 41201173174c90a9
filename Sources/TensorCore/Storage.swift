import Foundation
import Synchronization

/// A block of float32 memory. Blocks come from a pool and return to it when no tensor uses them any more,
/// so that a training step, once warm, asks the system for nothing.
final class Storage {
    let pointer: UnsafeMutablePointer<Float>
    let count: Int
    private let size: Int

    /// Contents are undefined.
    init(count: Int) {
        self.count = count
        size = BufferPool.size(forCount: count)
        pointer = BufferPool.shared.take(size)
    }

    deinit { BufferPool.shared.give(pointer, size) }
}

/// What the pool holds, in bytes.
public struct MemoryUse: Sendable {
    /// In use by tensors now.
    public var live: Int
    /// The most that was in use at once since the last `resetPeak`.
    public var peak: Int
    /// Taken from the system, in use or kept for reuse; of large blocks what lies below the highest of them.
    public var reserved: Int
    /// Number of times the system was asked for memory.
    public var systemAllocations: Int
}

/// Memory of tensors. Small blocks are kept by size class: powers of two in four steps each, so at most a fifth of a block is
/// unused. Large ones are cut from an arena, to the page.
public final class BufferPool: Sendable {
    public static let shared = BufferPool()

    private struct State: ~Copyable {
        var free: [Int: [UInt]] = [:]
        var arena = Arena()
        var use = MemoryUse(live: 0, peak: 0, reserved: 0, systemAllocations: 0)
    }

    private let state = Mutex(State())

    /// Live, peak and reserved memory of all tensors in this process.
    public var use: MemoryUse { state.withLock { $0.use } }

    public func resetPeak() { state.withLock { $0.use.peak = $0.use.live } }

    /// Returns kept memory to the system.
    public func trim() {
        state.withLock { state in
            for (size, blocks) in state.free {
                for block in blocks { UnsafeMutableRawPointer(bitPattern: block)?.deallocate() }
                state.use.reserved -= size * blocks.count
            }
            state.free = [:]
            state.use.reserved -= state.arena.reserved
            state.arena.trim()
            state.use.reserved += state.arena.reserved
        }
    }

    private static let large = 256 << 10

    /// Size in bytes of the block that holds `count` floats.
    fileprivate static func size(forCount count: Int) -> Int {
        let bytes = max(64, count * MemoryLayout<Float>.stride)
        if bytes >= large { return (bytes + Arena.granule - 1) / Arena.granule * Arena.granule }
        let power = 1 << (Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount)
        let step = max(64, power / 4)
        return (bytes + step - 1) / step * step
    }

    fileprivate func take(_ size: Int) -> UnsafeMutablePointer<Float> {
        let block = state.withLock { state -> UInt? in
            state.use.live += size
            state.use.peak = max(state.use.peak, state.use.live)
            if size < Self.large, let block = state.free[size]?.popLast() { return block }
            let before = state.arena.reserved
            let block = size < Self.large ? Self.allocate(size) : state.arena.take(size)
            let added = size < Self.large ? size : state.arena.reserved - before
            state.use.reserved += added
            if added > 0 { state.use.systemAllocations += 1 }
            return block
        }
        guard let raw = block.flatMap({ UnsafeMutableRawPointer(bitPattern: $0) }) else {
            fatalError("no memory for \(size) bytes")
        }
        return raw.assumingMemoryBound(to: Float.self)
    }

    private static func allocate(_ size: Int) -> UInt {
        UInt(bitPattern: UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64))
    }

    fileprivate func give(_ pointer: UnsafeMutablePointer<Float>, _ size: Int) {
        let block = UInt(bitPattern: pointer)
        state.withLock { state in
            state.use.live -= size
            if size < Self.large { state.free[size, default: []].append(block) } else { state.arena.give(block, size) }
        }
    }
}
