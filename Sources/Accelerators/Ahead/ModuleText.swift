/// A module of XLA's HLO as its text says: computations of instructions.
struct ModuleText {
    struct Instruction {
        let name: String
        /// Such as `fusion`.
        let operation: String
        /// Bytes of the result's parts: one, or those of a tuple.
        let parts: [Int]
        /// Rank of the first part.
        let rank: Int
        /// Names of what it reads, with `#k` behind that of which it reads one part.
        let operands: [String]
        /// What stands between the parentheses: the number of a parameter.
        let argument: String
        /// What stands behind them.
        let attributes: String
        let isRoot: Bool

        var bytes: Int { parts.reduce(0, +) }

        /// The word behind `name`, such as a computation behind `calls=%`, or what is in quotes there.
        func attribute(_ name: String) -> String? {
            guard let start = attributes.firstRange(of: name)?.upperBound else { return nil }
            let rest = attributes[start...].drop { $0 == "%" || $0 == "\"" }
            return String(rest.prefix { !",\" })".contains($0) })
        }
    }

    struct Computation {
        var instructions: [Instruction] = []
        private var places: [String: Int] = [:]
        /// Places of those that read an instruction, by its name.
        private var readers: [String: [Int]] = [:]
        /// Names of parameters by what stands between their parentheses.
        private(set) var parameters: [String: String] = [:]

        mutating func add(_ instruction: Instruction) {
            places[instruction.name] = instructions.count
            for operand in Set(instruction.operands) { readers[operand, default: []].append(instructions.count) }
            if instruction.operation == "parameter" { parameters[instruction.argument] = instruction.name }
            instructions.append(instruction)
        }

        subscript(name: String) -> Instruction? { places[name].map { instructions[$0] } }
        func users(of name: String) -> [Instruction] { (readers[name] ?? []).map { instructions[$0] } }
        var root: Instruction? { instructions.first { $0.isRoot } }
    }

    private(set) var computations: [String: Computation] = [:]
    /// The computation that runs.
    private(set) var entry = ""

    init(_ text: String) {
        var name: String?
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            if line.first != UInt8(ascii: " ") {
                name = nil
                guard line.last == UInt8(ascii: "{"), line.first != UInt8(ascii: "H") else { continue }
                let words = String(Substring(line)).split(separator: " ")
                let isEntry = words.first == "ENTRY"
                guard let word = words.dropFirst(isEntry ? 1 : 0).first else { continue }
                let own = String(word.drop { $0 == "%" }.prefix { $0 != "(" })
                computations[own] = Computation()
                if isEntry { entry = own }
                name = own
            } else if let name, let instruction = Self.instruction(Array(line)) {
                computations[name]?.add(instruction)
            }
        }
    }

    /// `  ROOT %name = type operation(operands), attributes`; nil for any other line.
    private static func instruction(_ line: [UInt8]) -> Instruction? {
        func text(_ range: Range<Int>) -> String { String(decoding: line[range], as: UTF8.self) }
        var start = line.firstIndex { $0 != UInt8(ascii: " ") } ?? 0
        let isRoot = line[start...].starts(with: "ROOT ".utf8)
        if isRoot { start += 5 }
        guard let nameEnd = line[start...].firstIndex(of: UInt8(ascii: " ")), line[nameEnd...].starts(with: " = ".utf8) else { return nil }
        let typeStart = nameEnd + 3
        guard typeStart < line.count else { return nil }
        let isTuple = line[typeStart] == UInt8(ascii: "(")
        guard let typeEnd = isTuple ? closing(line, typeStart).map({ $0 + 1 }) : line[typeStart...].firstIndex(of: UInt8(ascii: " ")),
            let open = line[typeEnd...].firstIndex(of: UInt8(ascii: "(")), typeEnd + 1 <= open, let close = closing(line, open)
        else { return nil }
        let argument = text(open + 1..<close)
        let types = shapes(text(typeStart..<typeEnd))
        return Instruction(
            name: text(start..<nameEnd).replacing("%", with: ""), operation: text(typeEnd + 1..<open), parts: types.map(\.bytes),
            rank: types.first?.rank ?? 0, operands: names(argument), argument: argument, attributes: text(close + 1..<line.count),
            isRoot: isRoot)
    }

    /// Where the parenthesis at `open` is closed.
    private static func closing(_ line: [UInt8], _ open: Int) -> Int? {
        var depth = 0
        for place in open..<line.count {
            if line[place] == UInt8(ascii: "(") { depth += 1 }
            if line[place] == UInt8(ascii: ")") { depth -= 1 }
            if depth == 0 { return place }
        }
        return nil
    }

    /// What follows each `%`, up to a comma, a space or a parenthesis.
    private static func names(_ list: String) -> [String] {
        list.split(separator: "%", omittingEmptySubsequences: false).dropFirst().map { String($0.prefix { !", )".contains($0) }) }
    }

    private static let sizes: [String: Int] = [
        "pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8,
    ]

    /// `(bf16[64,768]{1,0}, f32[64]{0})` → bytes and ranks.
    static func shapes(_ type: String) -> [(bytes: Int, rank: Int)] {
        let pieces = type.split(separator: "[", omittingEmptySubsequences: false)
        return zip(pieces, pieces.dropFirst()).compactMap { before, after in
            let element = before.reversed().prefix { $0.isLetter || $0.isNumber }.reversed()
            guard let size = sizes[String(element)] else { return nil }
            let dims = after.prefix { $0 != "]" }.split(separator: ",").compactMap { Int($0) }
            return (dims.reduce(size, *), dims.count)
        }
    }
}
