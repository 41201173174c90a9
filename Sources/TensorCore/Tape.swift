import CKernels

/// A named, trainable tensor. Its memory stays for the life of the model; optimisers write into it.
public final class Parameter {
    public let name: String
    /// In a program it is another one after an update.
    public internal(set) var value: Tensor

    public init(name: String, value: Tensor) {
        self.name = name
        self.value = value.detached()
    }

    public var shape: Shape { value.shape }
    public var count: Int { shape.elementCount }

    /// The value as an input of ops: on `tape`, and differentiated if the tape was asked to.
    public func callAsFunction(on tape: Tape?) -> Tensor {
        require(value.count == count, "\(name) is a shape only (meta) and has no values")
        return onTape(tape)
    }

    private func onTape(_ tape: Tape?) -> Tensor {
        tape?.tensor(of: self) ?? value
    }
}

/// A record of ops, played backwards once to get gradients.
///
/// `Tape(differentiating: parameters)` fixes whose gradients are wanted. Gradients flow *through* every other
/// parameter but never *to* it, and what no wanted gradient passes through is not recorded at all.
///
///     let weight = Parameter(name: "weight", value: .zeros([10, 784]))
///     let tape = Tape(differentiating: [weight])
///     let logits = linear(images, weight: weight(on: tape))
///     tape.backward(from: mean(crossEntropy(logits, targets: labels)))
///     let gradient = tape.gradient(of: weight)
public final class Tape {
    /// Adds the gradients of one op's inputs, given the gradient of its output.
    typealias Backward = (_ gradient: Tensor, _ tape: Tape) -> Void

    private struct Entry {
        let slot: Int
        let backward: Backward
        let op: StaticString
        /// Of inputs and output.
        let bytes: Int
    }

    private let wanted: Set<ObjectIdentifier>
    private var parameterSlots: [ObjectIdentifier: Int] = [:]
    private var entries: [Entry] = []
    private var gradients: [Tensor?] = []

    public init(differentiating parameters: [Parameter] = []) {
        wanted = Set(parameters.map(ObjectIdentifier.init))
    }

    /// `tensor` as an input that ops are recorded for, without a gradient of its own.
    public func constant(_ tensor: Tensor) -> Tensor {
        Tensor(shape: tensor.shape, content: tensor.content, trace: .init(tape: self, slot: nil))
    }

    /// `tensor` as an input whose gradient is wanted; read it with `gradient(of:)`.
    public func variable(_ tensor: Tensor) -> Tensor {
        Tensor(shape: tensor.shape, content: tensor.content, trace: .init(tape: self, slot: newSlot()))
    }

    fileprivate func tensor(of parameter: Parameter) -> Tensor {
        let key = ObjectIdentifier(parameter)
        guard wanted.contains(key) else { return constant(parameter.value) }
        let slot = parameterSlots[key] ?? newSlot()
        parameterSlots[key] = slot
        return Tensor(
            shape: parameter.shape, content: parameter.value.content, trace: .init(tape: self, slot: slot))
    }

    private func newSlot() -> Int {
        gradients.append(nil)
        return gradients.count - 1
    }

    /// Puts `output`, computed from `inputs` by `op`, on their tape. `backward` must capture detached tensors only.
    static func record(
        _ output: Tensor, from inputs: [Tensor], op: StaticString = #function, backward: @escaping Backward
    ) -> Tensor {
        let bytes = inputs.reduce(output.count) { $0 + $1.count } * MemoryLayout<Float>.stride
        Profile.current?.mark("\(op)", isBackward: false, bytes: bytes)
        var tape: Tape?
        var flows = false
        for case let trace? in inputs.map(\.trace) {
            require(tape == nil || tape === trace.tape, "inputs are on different tapes")
            tape = trace.tape
            flows = flows || trace.slot != nil
            if let slot = trace.slot { trace.tape.requireRecorded(slot) }
        }
        guard let tape else { return output }
        guard flows else { return tape.constant(output) }
        let slot = tape.newSlot()
        tape.entries.append(Entry(slot: slot, backward: backward, op: op, bytes: bytes))
        return Tensor(shape: output.shape, content: output.content, trace: .init(tape: tape, slot: slot))
    }

    /// Plays the record backwards from `loss` (a scalar). Activations are freed on the way; a tape is used once.
    public func backward(from loss: Tensor) { play(downTo: 0, from: loss) }

    /// How far the record has come.
    public struct Mark { fileprivate let entries, slots: Int }

    public var mark: Mark { Mark(entries: entries.count, slots: gradients.count) }

    /// Plays back what came after `mark`, from the scalar `loss`, before the record goes on, so that those activations are
    /// not held together with later ones. Inputs from before `mark` keep the gradients that have reached them until
    /// `backward`; no later op may read what was recorded after it.
    ///
    /// - Returns: the loss, through which nothing flows any more.
    public func playBack(to mark: Mark, from loss: Tensor) -> Tensor {
        play(downTo: mark.entries, from: loss)
        played.append(mark.slots..<gradients.count)
        return constant(loss)
    }

    /// `output`, which `body` has computed of `inputs` off the tape. Nothing of what it went through is kept: for the gradient `body`
    /// computes it again, on a tape of its own. In a program that waits for the gradient, so that compilers do not do it before and keep
    /// it after all.
    ///
    /// - Parameter body: inputs and a tape → the same output; what it draws must be the same again.
    public func recomputing(_ output: Tensor, from inputs: [Tensor], _ body: @escaping ([Tensor], Tape) -> Tensor) -> Tensor {
        for case let trace? in inputs.map(\.trace) {
            require(trace.tape === self, "inputs are on different tapes")
            if let slot = trace.slot { requireRecorded(slot) }
        }
        let (values, slots) = (inputs.map { $0.detached() }, inputs.map(\.slot))
        guard !wanted.isEmpty || slots.contains(where: { $0 != nil }) else { return constant(output.detached()) }
        let slot = newSlot()
        entries.append(
            Entry(
                slot: slot,
                backward: { gradient, tape in
                    let own = Tape(wanted: tape.wanted)
                    let tied = Program.tied(values + [gradient])
                    let again = zip(tied, slots).map { $1 == nil ? own.constant($0) : own.variable($0) }
                    let result = body(again, own)
                    guard let end = result.trace?.slot else { return }
                    own.gradients[end] = tied[values.count].reshaped(result.shape)
                    own.play(downTo: 0)
                    for (variable, slot) in zip(again, slots) {
                        if let slot, let gradient = own.gradient(of: variable) { tape.add(gradient, to: slot) }
                    }
                    for (key, place) in own.parameterSlots.sorted(by: { $0.value < $1.value }) {
                        guard let gradient = own.gradients[place] else { continue }
                        let slot = tape.parameterSlots[key] ?? tape.newSlot()
                        tape.parameterSlots[key] = slot
                        tape.add(gradient, to: slot)
                    }
                }, op: "recomputing", bytes: 0))
        return Tensor(shape: output.shape, content: output.content, trace: .init(tape: self, slot: slot))
    }

    private init(wanted: Set<ObjectIdentifier>) { self.wanted = wanted }

    /// Slots of outputs that were played back, and of parameters that were first used there.
    private var played: [Range<Int>] = []

    private func requireRecorded(_ slot: Int) {
        guard played.contains(where: { $0.contains(slot) }) else { return }
        require(parameterSlots.values.contains(slot), "an op reads what was played back already: its gradient would be lost")
    }

    private func play(downTo end: Int, from loss: Tensor) {
        require(loss.count == 1, "a loss must be a scalar, not \(loss.shape)")
        require(loss.trace?.tape === self, "the loss is not on this tape")
        guard let slot = loss.trace?.slot else {
            fatalError("no gradient flows to the loss: none of its inputs is differentiated")
        }
        gradients[slot] = Tensor([1], shape: loss.shape)
        play(downTo: end)
    }

    /// Plays back what has a gradient.
    private func play(downTo end: Int) {
        while entries.count > end, let entry = entries.popLast() {
            guard let gradient = gradients[entry.slot] else { continue }
            gradients[entry.slot] = nil
            entry.backward(gradient, self)
            Profile.current?.mark("\(entry.op)", isBackward: true, bytes: 2 * entry.bytes)
        }
    }

    /// The gradient of a parameter or variable after `backward`; nil if nothing flowed to it.
    public func gradient(of parameter: Parameter) -> Tensor? {
        parameterSlots[ObjectIdentifier(parameter)].flatMap { gradients[$0] }
    }

    public func gradient(of variable: Tensor) -> Tensor? {
        variable.trace?.slot.flatMap { gradients[$0] }
    }

    // MARK: Used by the ops' gradients

    /// Adds `gradient` to what `slot` has collected.
    func add(_ gradient: Tensor, to slot: Int) {
        guard let collected = gradients[slot] else {
            gradients[slot] = gradient
            return
        }
        require(
            collected.count == gradient.count, "gradients of shapes \(collected.shape) and \(gradient.shape) meet")
        if let program = Program.tracing(collected, gradient) {
            gradients[slot] = Tensor(program.node(collected) + program.node(gradient).reshaped(collected.shape))
            return
        }
        // A gradient may be shared between two inputs of an op: only memory that nobody else holds is added to.
        gradients[slot] = nil
        var storage = collected.storage
        _ = consume collected
        if isKnownUniquelyReferenced(&storage) {
            let (sum, addend) = (storage.pointer, gradient.pointer)
            Parallel.elements(storage.count) { range in
                add_into(sum + range.lowerBound, addend + range.lowerBound, range.count)
            }
            gradients[slot] = Tensor(shape: gradient.shape, storage: storage, trace: nil)
        } else {
            let sum = Tensor(uninitialized: gradient.shape)
            let held = storage.pointer
            Parallel.elements(sum.count) { range in
                add_out(
                    sum.pointer + range.lowerBound, held + range.lowerBound, gradient.pointer + range.lowerBound,
                    range.count)
            }
            gradients[slot] = sum
        }
    }

    /// For gradients that a kernel can accumulate itself: hands over memory and whether it holds a sum already.
    func accumulate(_ slot: Int, shape: Shape, by write: (_ into: Tensor, _ accumulates: Bool) -> Void) {
        if let collected = gradients[slot], owned.contains(slot) {
            write(collected, true)
        } else {
            let fresh = Tensor(uninitialized: shape)
            write(fresh, false)
            if gradients[slot] == nil {
                gradients[slot] = fresh
                owned.insert(slot)
            } else {
                add(fresh, to: slot)
            }
        }
    }

    /// Slots whose collected gradient was made by `accumulate` and is held by nobody else.
    private var owned: Set<Int> = []
}

extension Tensor {
    /// The slot that this tensor's gradient is collected in, if one is wanted.
    var slot: Int? { trace?.slot }
}
