/// Text for XML and HTML; characters that XML forbids become U+FFFD.
func escapedForXML(_ text: String) -> String {
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
func escapedForMarkdown(_ text: String) -> String {
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
