/// Bytes that an optimised module moves between a device's memory and its kernels, as far as its text tells.
///
/// A kernel reads each operand once and whole, of one that it only takes slices of those, and writes its result; what is updated in
/// place is written where it changes. Loops count as often as they run. Caches are not thought of.
public struct ModuleTraffic: Sendable {
    /// What a kernel is there for.
    public enum Kind: String, Sendable, CaseIterable {
        /// Matrix products and convolutions.
        case products
        /// cuDNN's fused attention.
        case attention
        /// Sums over devices.
        case collectives
        /// All else, which limits a step.
        case elsewhere
    }

    public struct Sum: Sendable {
        public var bytes = 0
        public var kernels = 0
    }

    /// Of a kernel, for those who look for what to save.
    public struct Kernel: Sendable {
        public let kind: Kind
        public let name: String
        public let read, written: Int
        /// How often it runs.
        public let times: Int

        public var bytes: Int { (read + written) * times }
    }

    public private(set) var kernels: [Kernel] = []

    public subscript(kind: Kind) -> Sum {
        kernels.reduce(into: Sum()) { sum, kernel in
            guard kernel.kind == kind else { return }
            sum.bytes += kernel.bytes
            sum.kernels += kernel.times
        }
    }

    /// - Parameter text: HLO after all passes, as XLA writes it.
    public init(ofModule text: String) {
        let module = ModuleText(text)
        count(module.entry, in: module, times: 1)
    }

    /// Instructions that move nothing, or that end what another has begun.
    private static let free: Set<String> = [
        "parameter", "constant", "get-tuple-element", "tuple", "bitcast", "after-all", "partition-id", "replica-id", "copy-done",
        "async-done", "async-update", "all-reduce-done", "optimization-barrier",
    ]

    private mutating func count(_ name: String, in module: ModuleText, times: Int) {
        guard let computation = module.computations[name] else { return }
        func size(_ operand: String) -> Int {
            let words = operand.split(separator: "#")
            guard let first = words.first, let instruction = computation[String(first)] else { return 0 }
            guard words.count == 2, let part = Int(words[1]), instruction.parts.indices.contains(part) else { return instruction.bytes }
            return instruction.parts[part]
        }
        for instruction in computation.instructions where !Self.free.contains(instruction.operation) {
            switch instruction.operation {
            case "while":
                let trips = instruction.attribute("\"known_trip_count\":{\"n\":\"").flatMap(Int.init) ?? 1
                if let body = instruction.attribute("body=") { count(body, in: module, times: times * trips) }
                continue
            case "async-start", "call":
                if let called = instruction.attribute("calls=") ?? instruction.attribute("to_apply=") {
                    count(called, in: module, times: times)
                    continue
                }
            default: break
            }
            let called = instruction.attribute("calls=").flatMap { module.computations[$0] }
            var read = 0
            var written = 0
            if let called {
                for (place, operand) in instruction.operands.enumerated() {
                    read += Self.read(called, parameter: place, whole: size(operand))
                }
                written = Self.written(called) ?? instruction.bytes
            } else {
                read = instruction.operands.reduce(0) { $0 + size($1) }
                // Behind a product's result comes its scratch memory.
                let result = Self.isProduct(instruction) ? instruction.parts.first ?? 0 : instruction.bytes
                written = instruction.operation.hasSuffix("-start") ? read : result
            }
            switch instruction.operation {
            case "gather", "dynamic-slice", "slice": read = written
            case "dynamic-update-slice":
                read = instruction.operands.count > 1 ? size(instruction.operands[1]) : 0
                written = read
            default: break
            }
            let kind = Self.kind(of: instruction, called)
            kernels.append(Kernel(kind: kind, name: instruction.name, read: read, written: written, times: times))
        }
    }

    private static func isProduct(_ instruction: ModuleText.Instruction) -> Bool {
        if ["dot", "convolution"].contains(instruction.operation) { return true }
        guard instruction.operation == "custom-call", let target = instruction.attribute("custom_call_target=") else { return false }
        return ["cublas", "gemm", "conv"].contains { target.contains($0) }
    }

    private static func kind(of instruction: ModuleText.Instruction, _ called: ModuleText.Computation?) -> Kind {
        if instruction.operation.hasPrefix("all-reduce") || instruction.operation.hasPrefix("all-gather")
            || instruction.operation.hasPrefix("reduce-scatter")
        {
            return .collectives
        }
        if instruction.attribute("custom_call_target=")?.contains("fmha") == true { return .attention }
        let isGemm = instruction.attributes.contains("\"kind\":\"__triton_gemm\"") || instruction.attributes.contains("gemm_fusion")
        return isGemm || isProduct(instruction) || called?.instructions.contains(where: isProduct) == true ? .products : .elsewhere
    }

    /// What a fusion reads of an operand: all of it, or only what its slices give.
    private static func read(_ fused: ModuleText.Computation, parameter: Int, whole: Int) -> Int {
        guard let own = fused.parameters["\(parameter)"] else { return whole }
        func read(_ name: String, depth: Int) -> Int? {
            var sum = 0
            for user in fused.users(of: name) {
                switch user.operation {
                case "slice", "dynamic-slice", "gather": sum += user.bytes
                case "dynamic-update-slice" where user.operands.first == name: break
                case "bitcast", "convert", "reshape", "negate", "copy":
                    guard depth < 6, let further = read(user.name, depth: depth + 1) else { return nil }
                    sum += further
                default: return nil
                }
            }
            return sum
        }
        return min(whole, read(own, depth: 0) ?? whole)
    }

    /// What a fusion writes: of what it updates in place the part that changes.
    private static func written(_ fused: ModuleText.Computation) -> Int? {
        func written(_ instruction: ModuleText.Instruction) -> Int {
            switch instruction.operation {
            case "dynamic-update-slice" where instruction.operands.count > 1: fused[instruction.operands[1]]?.bytes ?? instruction.bytes
            case "bitcast":
                instruction.operands.first.flatMap { fused[$0] }.map { $0.operation == "dynamic-update-slice" ? written($0) : nil }
                    .flatMap { $0 } ?? instruction.bytes
            default: instruction.bytes
            }
        }
        guard let root = fused.root else { return nil }
        return root.operation == "tuple" ? root.operands.compactMap { fused[$0] }.reduce(0) { $0 + written($1) } : written(root)
    }
}
