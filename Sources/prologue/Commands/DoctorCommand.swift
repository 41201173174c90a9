import Accelerators
import ArgumentParser
import Experiment
import Report

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Show what this program finds on this machine, and warn of what is wrong.",
        discussion: """
            Libraries, processor, threads, data sets, store, disk, and PJRT plugins with their devices. Warnings do not make it fail.

              prologue doctor
              prologue doctor --json
            """)

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: TableOptions

    func run() {
        let findings = Checkup(store: store.directory).findings
        // Warnings are sentences: people get them below the table, programs in it.
        let isForPeople = output.format == nil
        var table = Table(columns: [.text("topic"), .text("found")] + (isForPeople ? [] : [.text("warning")]))
        func add(_ topic: String, _ found: String, _ warning: String?) {
            table.add([.text(topic), .text(found)] + (isForPeople ? [] : [warning.map { .text($0) } ?? .missing]))
        }
        add("prologue", Prologue.version, nil)
        for finding in findings { add(finding.topic, finding.found, finding.warning) }
        var warnings = findings.compactMap { finding in finding.warning.map { "warning: \(finding.topic): \($0)" } }
        let plugins = PluginCheck.all()
        for plugin in plugins {
            add("device xla:\(plugin.name)", plugin.found, plugin.problem)
            if let problem = plugin.problem { warnings.append("warning: xla:\(plugin.name): \(problem)") }
        }
        if plugins.isEmpty { add("devices", "the processor only; \(PluginCheck.advice())", nil) }
        if isForPeople {
            for line in warnings.isEmpty ? ["nothing to complain about"] : warnings { table.add(footnote: line) }
        }
        output.show(table)
    }
}
