import NN
import TensorCore

/// Images to codes and back as programs; parameters are their inputs `tokenizer/value/…`.
public enum CodingProgram {
    /// `patches` [batch, N, p·p·C] → `indices` [batch, K + N], as `Encoding.indices`.
    public static func encoding(_ config: TokenizerConfig, batch: Int) -> TracedProgram {
        let program = Program("encoding")
        let encoder = Encoder(config, parameters: .program(program, prefix: prefix))
        program.output("indices", encoder(program.input("patches", [batch, config.visualTokens, config.patchWidth])).indices)
        return program.traced()
    }

    /// Visual `indices` [batch, N] → `patches` [batch, N, p·p·C].
    public static func decoding(_ config: TokenizerConfig, batch: Int) -> TracedProgram {
        let program = Program("decoding")
        let tokenizer = Tokenizer(config, parameters: .program(program, prefix: prefix))
        let codes = tokenizer.encoder.visualCodes(program.tokens("indices", [batch, config.layout.visualTokens]))
        program.output("patches", tokenizer.decoder(codes))
        return program.traced()
    }

    /// Of the names of parameters.
    public static let prefix = "tokenizer/value/"
}
