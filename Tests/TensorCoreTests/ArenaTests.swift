import Foundation
import TensorCore
import Testing

@Suite struct ArenaTests {
    private let page = Arena.granule

    private func bytes(_ address: UInt, _ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: address), count: count)
    }

    private func take(_ size: Int, from arena: inout Arena) throws -> UInt {
        let address = arena.take(size)
        return try #require(address)
    }

    /// Blocks of all sizes come and go in any order; each keeps what was written to it, so none overlaps another.
    @Test func blocksKeepWhatIsWrittenToThem() throws {
        var arena = Arena()
        var stream = RandomStream(seed: 1, "arena")
        var blocks: [(address: UInt, size: Int, mark: UInt8)] = []
        var (live, most) = (0, 0)
        for step in 0..<4000 {
            if blocks.isEmpty || stream.uniform() < 0.52 {
                let size = page * (1 + Int(stream.uniform() * (step % 10 == 0 ? 200 : 12)))
                let address = try take(size, from: &arena)
                #expect(address % UInt(page) == 0)
                let mark = UInt8(truncatingIfNeeded: step)
                let memory = bytes(address, size)
                memory.initializeMemory(as: UInt8.self, repeating: mark)
                blocks.append((address, size, mark))
                live += size
                most = max(most, live)
            } else {
                let (address, size, mark) = blocks.remove(at: Int(stream.uniform() * Float(blocks.count)))
                let memory = bytes(address, size)
                #expect(memory.allSatisfy { $0 == mark })
                arena.give(address, size)
                live -= size
            }
        }
        #expect(arena.reserved >= most)
        // The lowest free place first: little more is touched than was ever needed at once.
        #expect(arena.reserved < 2 * most)
        for block in blocks { arena.give(block.address, block.size) }
        let before = arena.reserved
        // All is one place again.
        _ = try take(before, from: &arena)
        #expect(arena.reserved == before)
    }

    @Test func freeNeighboursBecomeOnePlace() throws {
        var arena = Arena()
        let addresses = try (0..<4).map { _ in try take(3 * page, from: &arena) }
        for index in [0, 2, 1] { arena.give(addresses[index], 3 * page) }
        let joined = try take(9 * page, from: &arena)
        #expect(joined == addresses[0])
        arena.give(addresses[3], 3 * page)
        let last = try take(page, from: &arena)
        #expect(last == addresses[3])
    }

    /// What is trimmed is zeros again, for the system has taken its pages; what is in use stays.
    @Test func trimmedMemoryGoesBackToTheSystem() throws {
        var arena = Arena()
        let size = 64 * page
        let (kept, freed) = (try take(size, from: &arena), try take(size, from: &arena))
        for address in [kept, freed] { bytes(address, size).initializeMemory(as: UInt8.self, repeating: 7) }
        arena.give(freed, size)
        #expect(arena.reserved == 2 * size)
        arena.trim()
        #expect(arena.reserved == size)
        #expect(bytes(kept, size).allSatisfy { $0 == 7 })
        let again = try take(size, from: &arena)
        #expect(again == freed)
        #expect(bytes(freed, size).allSatisfy { $0 == 0 })
        #expect(arena.reserved == 2 * size)
    }

    /// More than a region holds.
    @Test func largerThanARegion() throws {
        var arena = Arena()
        let small = try take(page, from: &arena)
        let huge = (64 << 30) + page
        let large = try take(huge, from: &arena)
        let memory = bytes(large, huge)
        (memory[0], memory[huge - 1]) = (1, 2)
        arena.give(small, page)
        arena.give(large, huge)
        let next = try take(page, from: &arena)
        #expect(next == min(small, large))
    }
}
