/// Rules between the settings of quantizers and positions.
extension RunSettings {
    func quantizerConflicts() -> [Conflict] {
        let visual = conflicts(
            "visual", tokenizer.visualQuantizer, codesPath: "tokenizer.codebook", codes: tokenizer.codebook,
            levels: tokenizer.visualLevels, restart: tokenizer.visualRestart)
        guard tokenizer.hasPrologue else { return visual }
        return visual
            + conflicts(
                "prologue", tokenizer.prologueQuantizer, codesPath: "tokenizer.prologue_codebook",
                codes: tokenizer.prologueCodebook, levels: tokenizer.prologueLevels, restart: tokenizer.prologueRestart)
    }

    private func conflicts(
        _ kind: String, _ quantizer: TokenizerSettings.Quantizer, codesPath: String, codes: Int, levels: [Int],
        restart: Int?
    ) -> [Conflict] {
        let path = "tokenizer.\(kind)_quantizer"
        var found: [Conflict] = []
        if quantizer == .lfq, codes & (codes - 1) != 0 {
            // The power of two below, or above where that is nearer.
            let below = 1 << (Int.bitWidth - 1 - codes.leadingZeroBitCount)
            let nearest = codes - below <= 2 * below - codes ? below : 2 * below
            found.append(
                Conflict(
                    paths: [codesPath, path],
                    message: "\(codesPath) \(codes) must be a power of two for lfq, such as \(nearest)"))
        }
        if quantizer == .fsq {
            let product = levels.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
            if levels.isEmpty || product != codes {
                let levelsPath = "tokenizer.\(kind)_levels"
                found.append(
                    Conflict(
                        paths: [levelsPath, codesPath, path],
                        message: "\(levelsPath) \(levels) multiply to \(product), but must multiply to \(codesPath) \(codes)"))
            }
        }
        if restart != nil, !quantizer.isLearned {
            found.append(
                Conflict(
                    paths: ["tokenizer.\(kind)_restart", path],
                    message: "tokenizer.\(kind)_restart needs learned codes (vq, probq, gumbel): those of "
                        + "\(quantizer.rawValue) are fixed"))
        }
        return found
    }

    /// Visual tokens have rows and columns only where they are patches, and three axes are needed to tell them apart.
    func positionConflicts() -> [Conflict] {
        var models = [("prior", prior.positions, prior.ropeAxes)]
        if tokenizer.variant.joint == .beside {
            models.append(("tokenizer.joint_ar", tokenizer.jointAr.positions, tokenizer.jointAr.ropeAxes))
        }
        return models.flatMap { path, positions, axes -> [Conflict] in
            guard positions == .hybrid else { return [] }
            var found: [Conflict] = []
            if tokenizer.variant.isLatent {
                found.append(
                    Conflict(
                        paths: ["\(path).positions", "tokenizer.variant"],
                        message: "\(path).positions hybrid needs visual tokens with a row and a column, which "
                            + "\(tokenizer.variant.rawValue) has not; use 1d"))
            }
            if axes.contains(0) {
                found.append(
                    Conflict(
                        paths: ["\(path).rope_axes", "\(path).positions"],
                        message: "\(path).rope_axes \(axes) leaves an axis out, but \(path).positions hybrid uses all three"))
            }
            return found
        }
    }
}
