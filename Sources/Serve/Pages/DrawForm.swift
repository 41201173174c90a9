import Experiment
import Files
import Foundation

/// A posted form as what is to be drawn: from a run, from all arms of a sweep, or on from a picture of a job.
struct DrawForm {
    let parts: [DrawDesk.Part]
    let subject: DrawDesk.Subject

    init(_ form: [String: String], _ live: LiveStore, _ desk: DrawDesk) throws {
        var request = RunDrawing.Request()
        func number<Value>(_ key: String, _ read: (String) -> Value?) throws -> Value? {
            guard let text = form[key]?.trimmingCharacters(in: .whitespaces), !text.isEmpty else { return nil }
            guard let value = read(text) else { throw InputError("\(key) is a number, not '\(text)'.") }
            return value
        }
        request.count = try number("count", Int.init) ?? request.count
        request.seed = try number("seed", Int.init) ?? request.seed
        request.temperature = try number("temperature", Double.init) ?? request.temperature
        request.guidance = try number("guidance", Double.init) ?? request.guidance
        guard request.seed >= 0, request.seed < 1 << 53 else { throw InputError("A seed is 0 or more, not \(request.seed).") }
        request.step = try number("step", Int.init)
        if let name = form["sweep"] {
            guard try live.hasSweep(name) else { throw InputError("There is no such sweep.") }
            let seed = try number("run-seed", Int.init) ?? 0
            request.label = try Self.label(form["class"] ?? "")
            subject = .sweep(name)
            parts = try ArmPictures.parts(live.results(ofSweep: name), seed: seed, request, live)
            guard !parts.isEmpty else { throw InputError("No arm of \(name) has a run with seed \(seed).") }
            return
        }
        let run: String
        if let from = try number("from", Int.init) {
            let (part, number) = (try number("part", Int.init) ?? 0, try number("picture", Int.init) ?? 0)
            guard let drawn = desk.job(from)?.drawn(part), drawn.ids.indices.contains(number) else {
                throw InputError("Job \(from) is not kept any more; draw it again.")
            }
            (run, request.step) = (drawn.run, drawn.request.step)
            request.given = Array(drawn.ids[number].prefix(max(0, try Self.integer(form["keep"]) ?? drawn.visualStart)))
            // With the prologue comes the token that ends it.
            if request.given.count == drawn.prologueTokens { request.given = Array(drawn.ids[number].prefix(drawn.visualStart)) }
            if let position = try Self.integer(form["position"]) {
                guard request.given.indices.contains(position) else {
                    throw InputError("Token \(position) is not among the \(request.given.count) that are kept.")
                }
                guard let code = try Self.integer(form["code"]) else {
                    throw InputError("Say by which code token \(position) is replaced.")
                }
                let isPrologue = position < drawn.prologueTokens
                guard (0..<(isPrologue ? drawn.prologueCodes : drawn.visualCodes)).contains(code) else {
                    throw InputError("A code is 0 to \((isPrologue ? drawn.prologueCodes : drawn.visualCodes) - 1), not \(code).")
                }
                request.given[position] = Int32(code + (isPrologue ? drawn.visualCodes : 0))
            }
            if form["temperature"] == nil { request.temperature = drawn.request.temperature }
        } else {
            guard let given = form["run"], try live.hasRun(given) else { throw InputError("There is no such run.") }
            run = given
        }
        request.label = try Self.label(form["class"] ?? "")
        (parts, subject) = ([.init(run: run, request)], .asked)
    }

    private static func integer(_ text: String?) throws -> Int? {
        guard let text = text?.trimmingCharacters(in: .whitespaces), !text.isEmpty else { return nil }
        guard let value = Int(text) else { throw InputError("This is no number: '\(text)'.") }
        return value
    }

    private static func label(_ text: String) throws -> Int? {
        let text = text.trimmingCharacters(in: .whitespaces)
        if text.isEmpty { return nil }
        guard let number = Int(text), (0..<1_000_000).contains(number) else {
            throw InputError("A class is named by its number, not '\(text)'.")
        }
        return number
    }
}
