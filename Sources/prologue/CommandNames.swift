import ArgumentParser
import Files

/// Requires that what stands where a command of `group` is expected is one.
///
/// - Throws: `InputError` that names the nearest command.
func requireCommand(_ arguments: ArraySlice<String>, of group: any ParsableCommand.Type) throws {
    let configuration = group.configuration
    guard !configuration.subcommands.isEmpty, let given = arguments.first, !given.hasPrefix("-"), given != "help" else { return }
    var names: [String] = []
    for command in configuration.subcommands {
        let name = command._commandName
        if name == given { return try requireCommand(arguments.dropFirst(), of: command) }
        if command.configuration.shouldDisplay { names.append(name) }
    }
    // A group may have a command that is meant where none is named.
    guard configuration.defaultSubcommand == nil else { return }
    let hint = nearest(to: given, among: names).map { "; did you mean '\($0)'?" } ?? ""
    throw InputError("\(group._commandName) has no command '\(given)'\(hint) Commands: \(names.joined(separator: ", "))")
}
