import Foundation

/// Text for XML and HTML; characters that XML forbids become U+FFFD.
public func escapedForXML(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        switch byte {
        case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"): false
        default: true
        }
    }
    if isPlain { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": result += "\u{FFFD}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// Text for a line of Markdown.
public func escapedForMarkdown(_ text: String) -> String {
    var result = ""
    for character in text {
        switch character {
        case "\\", "|", "*", "_", "`", "<", "[", "]": result += "\\\(character)"
        case "\n": result += " "
        default: result.append(character)
        }
    }
    return result
}

/// Text for a line of LaTeX, read by pdfLaTeX as well. Characters that its fonts lack are spelt out as U+4E2D.
public func escapedForLatex(_ text: String) -> String {
    var result = ""
    for scalar in text.precomposedStringWithCanonicalMapping.unicodeScalars {
        switch scalar {
        case "&", "%", "$", "#", "_", "{", "}": result += "\\\(scalar)"
        case "\n", "\t": result += " "
        case _ where scalar.value < 0x20: result += "U+" + hexadecimal(scalar)
        case _ where scalar.value < 0x7f && latexCommands[scalar] == nil: result.unicodeScalars.append(scalar)
        // Latin letters with their accents; only some of the rest of that block is in every font.
        case "À"..."Ö", "Ø"..."ö", "ø"..."ÿ": result.unicodeScalars.append(scalar)
        default: result += latexCommands[scalar] ?? "U+" + hexadecimal(scalar)
        }
    }
    return result
}

/// A sentence below a LaTeX table.
public func latexNote(_ text: String) -> String { "{\\noindent\\footnotesize\\raggedright \(escapedForLatex(text))\\par}" }

private func hexadecimal(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

/// What characters are in LaTeX that are none of its letters; names of Greek letters are their commands.
private let latexCommands: [Unicode.Scalar: String] = {
    var commands: [Unicode.Scalar: String] = [
        "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}",
        "|": "\\textbar{}", "\"": "\\char34{}", "\u{A0}": "~", "±": "$\\pm$", "−": "$-$", "–": "--", "—": "---", "…": "\\dots{}",
        "·": "$\\cdot$", "×": "$\\times$", "²": "$^2$", "³": "$^3$", "°": "$^\\circ$", "∞": "$\\infty$", "√": "$\\surd$",
        "≤": "$\\leq$", "≥": "$\\geq$", "≠": "$\\neq$", "≈": "$\\approx$", "→": "$\\rightarrow$", "∆": "$\\Delta$", "µ": "$\\mu$",
        "‘": "`", "’": "'", "“": "``", "”": "''", "ß": "\\ss{}",
    ]
    let greek = [
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "o", "pi", "rho",
        "varsigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    ]
    for (place, name) in greek.enumerated() {
        guard let small = Unicode.Scalar(0x3b1 + UInt32(place)), let capital = Unicode.Scalar(0x391 + UInt32(place)) else { continue }
        commands[small] = name == "o" ? "$o$" : "$\\\(name)$"
        // Capitals that look like a Latin one have no command.
        let own: Set = ["gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega"]
        if own.contains(name) { commands[capital] = "$\\\(name.prefix(1).uppercased() + name.dropFirst())$" }
    }
    return commands
}()
