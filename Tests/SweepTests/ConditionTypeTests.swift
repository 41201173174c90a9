import Files
import Sweep
import Testing

@Suite struct ConditionTypeTests {
    @Test(arguments: [
        ("prior.dim = '128'", "prior.dim is a number and '128' a text; write it without quotes"),
        ("'128' = prior.dim", "prior.dim is a number and '128' a text; write it without quotes"),
        ("prior.dim in (64, '128')", "prior.dim is a number and '128' a text; write it without quotes"),
        ("not prior.dim > 'a' or seed = 1", "prior.dim is a number and 'a' a text"),
        ("prior.dim between '1' and 2", "prior.dim is a number and '1' a text; write it without quotes"),
        ("prior.dim like '1%'", "prior.dim is a number, but like compares texts"),
        ("prior.dim", "prior.dim is a number, which alone is no condition; compare it with a value"),
        ("prior.tied = 1", "prior.tied is true or false and 1 a number; write true"),
        ("prior.tied = 'true'", "prior.tied is true or false and 'true' a text; write it without quotes"),
        ("prior.rope_axes = 12", "prior.rope_axes is a list and 12 a number"),
        ("prior.dim = tokenizer.variant", "prior.dim is a number and tokenizer.variant a text"),
        ("tokenizer.variant = 4", "tokenizer.variant is a text and 4 a number; write '4'"),
        (
            "tokenizer.variant = 'prolog'",
            "tokenizer.variant is never 'prolog', but one of baseline-1d, baseline-2d, coupled-1d, "
                + "coupled-2d, prologue, prologue-post, prologue-onestage; did you mean prologue?"
        ),
    ])
    func aConditionThatCanNeverHoldIsAnError(_ condition: String, _ message: String) throws {
        let error = try #require(try loadingError("name: x", only: condition))
        #expect(error.hasPrefix("--only: \(message)\n  \(condition)\n"), "\(error)")
    }

    @Test(arguments: [
        "prior.dim = 128 and prior.dim != tokenizer.dim", "tokenizer.decoder_dim is null or seed in (0, null)", "not prior.tied",
        "tokenizer.variant like 'pro%' or tokenizer.variant < 'z'", "prior.dropout < 1 and label like '%'",
    ])
    func whatCanHoldIsNone(_ condition: String) throws { #expect(try loadingError("name: x", only: condition) == nil) }

    /// A chain as long as is read at all; its tree stays flat, so that nothing that walks it runs out of stack.
    @Test func longChainsAreFine() throws {
        for (count, word) in [(90, "or"), (2400, "or"), (2400, "and")] {
            let text = (0..<count).map { "n \(word == "or" ? "=" : "!=") \($0)" }.joined(separator: " \(word) ")
            let expression = try Expression(parsing: text)
            #expect(depth(expression) <= 13)
            #expect(expression.keys.map(\.offset) == expression.keys.map(\.offset).sorted())
            for n in [0, count - 1, count] {
                #expect(expression.matches { _ in .int(n) } == ((n < count) == (word == "or")))
            }
        }
    }

    private func depth(_ expression: Expression) -> Int {
        switch expression {
        case .and(let a, let b), .or(let a, let b): 1 + max(depth(a), depth(b))
        default: 1
        }
    }
}
