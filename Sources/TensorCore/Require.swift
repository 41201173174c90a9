/// Stops the program that traces an op which cannot be traced.
func requireValues(_ tensors: Tensor..., op: StaticString = #function) {
    for tensor in tensors {
        require(
            !tensor.isTraced,
            "\(op) has no traced form: it cannot be part of the program '\(tensor.node?.program.name ?? "")'")
    }
}

/// Stops the program with `message` when a condition that a caller must meet does not hold.
///
/// Swift's own `precondition` drops its message in optimised builds; this one prints it in every build, so that
/// wrong shapes are always shown.
@inlinable
public func require(
    _ condition: Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
    guard condition else { fatalError(message(), file: file, line: line) }
}
