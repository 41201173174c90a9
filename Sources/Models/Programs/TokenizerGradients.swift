import NN
import TensorCore

/// The networks of a tokenizer's update as inputs of a program.
struct TracedNetworks {
    let tokenizer: Tokenizer
    /// What is trained of the tokenizer.
    let trained: [Parameter]
    let ar: ARModel?
    let imageLosses: ImageLosses?

    init(of update: TokenizerUpdate, in program: Program) {
        tokenizer = Tokenizer(update.tokenizer.config, parameters: .program(program, prefix: "autoencoder/value/"))
        let names = Set(update.autoencoder.parameters.map(\.name))
        trained = tokenizer.parameters.filter { names.contains($0.name) }
        ar = update.joint.map { ARModel($0.model.config, parameters: .program(program, prefix: "joint/value/")) }
        imageLosses = update.imageLosses?.traced(in: program)
    }
}

/// What both steps of an update read of a device's share of a batch, or of a part of that.
struct TracedBatch {
    private(set) var patches: Tensor
    private(set) var labels, dropped: TokenTensor?
    /// Of all rows of the batch, until a part is taken.
    private(set) var noise: GumbelNoise
    private let program: Program

    /// - Parameter rows: of the share.
    init(_ given: TokenizerUpdate.TracedInputs, _ config: TokenizerConfig, rows: Int, in program: Program) {
        self.program = program
        patches = program.input("patches", [rows, config.visualTokens, config.patchWidth])
        labels = given.labels ? program.tokens("labels", [rows]) : nil
        dropped = given.visualDropped ? program.tokens("visual_dropped", [rows]) : nil
        noise = GumbelNoise(
            visual: given.visualNoise ? program.stream("visual_noise") : nil,
            prologue: given.prologueNoise ? program.stream("prologue_noise") : nil)
    }

    /// The share as the only part of itself.
    var whole: TracedBatch { part(TokenTensor([0], shape: [1]), of: 1) }

    /// One of `parts` equal ones; `index` is a single id.
    func part(_ index: TokenTensor, of parts: Int) -> TracedBatch {
        let rows = patches.shape[0] / parts
        var part = self
        if parts > 1 {
            part.patches = patches.part(index, rows: rows)
            (part.labels, part.dropped) = (labels?.part(index, rows: rows), dropped?.part(index, rows: rows))
        }
        part.noise = noise.part(program.part(index, amongAll: parts), of: parts * program.replicas)
        return part
    }
}

/// What steps A and B make of a device's share of a batch, or of a part of it, before any update.
struct TracedResults {
    /// Gradients of what is trained of the tokenizer, and of the joint AR model's parameters; nil: none has reached the parameter.
    /// Where both steps share one weight, the latter are those of the weighted cross-entropy.
    fileprivate(set) var ofTokenizer, ofJoint: [Tensor?]
    /// Means over rows, [1] each.
    fileprivate(set) var scalars: [(name: String, value: Tensor)]
    /// Of each kind of token its sample entropy [1] and mean assignment [codes]: means over rows.
    fileprivate(set) var use: [(name: String, sample: Tensor, assignment: Tensor)] = []
    /// Of each kind of token `Quantized.points`.
    fileprivate(set) var points: [(name: String, value: Tensor)] = []
    fileprivate(set) var indices: TokenTensor
    let images: ImageLosses.Terms?

    /// What is added up over parts.
    fileprivate var summands: [Tensor] {
        (ofTokenizer + ofJoint).compactMap { $0 } + scalars.map(\.value) + use.flatMap { [$0.sample, $0.assignment] }
    }

    /// The same of a whole batch: sums over its parts in the places of summands, of which means become means again.
    fileprivate func whole(_ sums: [Tensor], points: [Tensor], _ indices: TokenTensor, parts: Int) -> TracedResults {
        var (whole, rest) = (self, sums[...])
        func next() -> Tensor { rest.removeFirst() }
        func mean() -> Tensor { (1 / Float(parts)) * next() }
        whole.ofTokenizer = ofTokenizer.map { $0 == nil ? nil : next() }
        whole.ofJoint = ofJoint.map { $0 == nil ? nil : next() }
        whole.scalars = scalars.map { ($0.name, mean()) }
        whole.use = use.map { ($0.name, mean(), mean()) }
        whole.points = zip(self.points, points).map { ($0.name, $1) }
        whole.indices = indices
        return whole
    }
}

extension TokenizerUpdate {
    func results(
        _ networks: TracedNetworks, _ inputs: TracedBatch, _ extras: TracedExtras, _ step: Int, in program: Program
    ) -> TracedResults {
        let ar = networks.ar
        let tape = Tape(differentiating: networks.trained + (sharedWeight == nil ? [] : ar?.parameters ?? []))
        let a = networks.tokenizer.stepA(
            patches: tape.constant(inputs.patches), weights: weights, ar: ar, labels: inputs.labels, visualDropped: inputs.dropped,
            noise: inputs.noise, imageLosses: networks.imageLosses, step: step)
        tape.backward(from: a.total)
        let b = sharedWeight == nil ? ar.map { stepB($0, inputs, a.encoding.indices) } : nil
        let scalars: [(String, Tensor?)] = [
            ("loss", a.total), ("l1", a.l1), ("l2", a.l2), ("quantizer", a.quantizer),
            ("ce_prologue", a.crossEntropy?.prologue), ("ce_eos", a.crossEntropy?.eos), ("ce_visual", a.crossEntropy?.visual),
            ("ce_joint", b?.loss ?? a.crossEntropy?.total), ("perceptual", a.images?.perceptual),
            ("gan_generator", a.images?.generator),
        ]
        var results = TracedResults(
            ofTokenizer: networks.trained.map { tape.gradient(of: $0) },
            ofJoint: ar?.parameters.map { (b?.tape ?? tape).gradient(of: $0) } ?? [],
            scalars: scalars.compactMap { name, value in value.map { (name, $0.detached()) } }, indices: a.encoding.indices,
            images: a.images)
        for (name, quantized) in [("visual", a.encoding.visual), ("prologue", a.encoding.prologue)] {
            guard let quantized else { continue }
            if extras.contains(.entropies), let similarities = quantized.similarities {
                let (sample, assignment) = program.assignmentMeans(similarities, scale: AssignmentEntropy.reportedScale)
                results.use.append((name, sample, assignment))
            }
            if extras.contains(.points) { results.points.append((name, quantized.points)) }
        }
        return results
    }

    /// Step B where it has a cross-entropy of its own.
    private func stepB(_ ar: ARModel, _ inputs: TracedBatch, _ indices: TokenTensor) -> (loss: Tensor, tape: Tape) {
        let tape = Tape(differentiating: ar.parameters)
        let labels = inputs.labels ?? TokenTensor(repeating: ar.unconditionalLabel, shape: [indices.shape[0]])
        let loss = ar.meanCrossEntropy(
            ARInput(targets: tokenizer.config.layout.targets(indices), labels: labels, visualDropped: inputs.dropped), on: tape)
        tape.backward(from: loss)
        return (loss, tape)
    }

    /// The same of a share in `parts`, one after another in a loop: gradients are sums over them.
    func inParts(
        _ parts: Int, _ networks: TracedNetworks, _ inputs: TracedBatch, _ given: TracedInputs, _ extras: TracedExtras, _ step: Int,
        in program: Program
    ) -> TracedResults {
        let rows = inputs.patches.shape[0]
        // What there is of a part, and of which shapes, a program of its own tells before the loop begins.
        let trial = Program("part")
        let example = results(
            TracedNetworks(of: self, in: trial), TracedBatch(given, tokenizer.config, rows: rows / parts, in: trial), extras, step,
            in: trial)
        let zeros = example.summands.map { program.zeros($0.shape) }
        let points = example.points.map { program.zeros([rows] + $0.value.shape.dropFirst()) }
        let indices = TokenTensor(repeating: 0, shape: [rows] + example.indices.shape.dropFirst())
        let ends = program.loop(parts, zeros + points, [indices]) { index, tensors, tokens in
            let part = results(networks, inputs.part(index, of: parts), extras, step, in: program)
            let filled = zip(tensors[zeros.count...], part.points).map { $0.replacing(index, by: $1.value) }
            return (zip(tensors, part.summands).map { $0 + $1 } + filled, [tokens[0].replacing(index, by: part.indices)])
        }
        return example.whole(
            Array(ends.tensors[..<zeros.count]), points: Array(ends.tensors[zeros.count...]), ends.tokens[0], parts: parts)
    }
}
