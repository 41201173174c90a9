/// Things that follow from settings and so cannot be set.
enum Derived {
    /// Why `path` is not a setting, where people may expect one.
    static func reason(for path: String) -> String? { reasons[path] }

    private static let vocabulary =
        "it follows from the tokenizer (tokenizer.codebook, with a prologue also tokenizer.prologue_codebook and EOS)"
    private static let tokens =
        "it follows from data.image_size, tokenizer.patch and tokenizer.prologue_tokens"
    private static let headDim = "it is dim / heads"
    private static let classes = "it follows from data.set"
    private static let seeds = "the replicates are a list or a map under seeds, such as seeds: [0, 1, 2]"

    private static let reasons = [
        "prior.vocab": vocabulary, "prior.vocabulary": vocabulary, "prior.codebook": vocabulary,
        "prior.prologue_codebook": vocabulary,
        "tokenizer.joint_ar.vocab": vocabulary, "tokenizer.joint_ar.codebook": vocabulary,
        "prior.tokens": tokens, "prior.length": tokens, "prior.sequence_length": tokens,
        "prior.prologue_tokens": tokens,
        "tokenizer.tokens": tokens, "tokenizer.visual_tokens": tokens, "tokenizer.joint_ar.tokens": tokens,
        "prior.head_dim": headDim, "tokenizer.head_dim": headDim, "tokenizer.joint_ar.head_dim": headDim,
        "prior.classes": classes, "features.classes": classes, "tokenizer.classes": classes, "data.classes": classes,
        "tokenizer.channels": classes,
        "seed": seeds, "seeds": seeds,
    ]
}
