import ArgumentParser
import Files
import Foundation
import Verification

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Recompute reference packs and compare every key.",
        discussion: """
            A model pack is a safetensors file with a JSON file of the same name beside it; a metrics pack needs none.
            Prints a line per key with its largest error, then 'N passed, N failed'; exits 1 if a key failed.

              prologue verify reference/2d.safetensors reference/prologue.safetensors
              prologue verify --device xla reference/*.safetensors
            """)

    @Argument(help: "Pack files (.safetensors).") var packs: [String]
    @OptionGroup var device: DeviceOptions
    @Flag(name: .shortAndLong, help: "Print failed keys and totals only.") var quiet = false

    func run() throws {
        var passed = 0
        var failed = 0
        let accelerator = try device.choice.open()
        for path in packs {
            let checks = try PackVerifier.verify(URL(fileURLWithPath: path), on: accelerator.map { .device($0) } ?? .kernels)
            for check in checks {
                if check.passed { passed += 1 } else { failed += 1 }
                if !quiet || !check.passed {
                    print("\(check.passed ? "ok  " : "FAIL") \(path): \(check.key): \(check.detail)")
                }
            }
        }
        print("\(passed) passed, \(failed) failed")
        if failed > 0 { throw ExitCode(1) }
    }
}
