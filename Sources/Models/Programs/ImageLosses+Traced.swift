import NN
import TensorCore

extension ImageLosses {
    /// Of the names of a perceptual loss's weights.
    static let tracedPrefix = "perceptual/"

    /// The same losses in a program: their networks are its inputs.
    func traced(in program: Program) -> ImageLosses? {
        ImageLosses(
            adversary: adversary?.traced(in: program),
            perceptual: perceptual.map { ($0.loss.traced(in: program, prefix: Self.tracedPrefix), $0.weight) })
    }
}

extension Adversary {
    /// Of the names of parameters, and of what is kept beside them.
    static let tracedPrefix = "discriminator/value/"

    /// The same in a program; of the optimiser that needs the settings only.
    fileprivate func traced(in program: Program) -> Adversary {
        let averages = program.input(Self.tracedPrefix + lecam.averages.name, lecam.averages.shape)
        return Adversary(
            PatchDiscriminator(like: discriminator, parameters: .program(program, prefix: Self.tracedPrefix)), settings,
            optimizer: optimizer, lecam: LeCamRegularization(averages: averages))
    }
}
