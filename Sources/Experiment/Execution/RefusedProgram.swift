import Accelerators
import Files
import Foundation
import RunStore

/// The text of a program that a plugin would not compile or could not run, kept beside the stage's log for whoever looks into it.
enum RefusedProgram {
    static let file = "refused-program.mlir"

    /// Does a stage's work; one of an earlier attempt is gone.
    static func kept<Result>(with work: StageWork, _ body: () throws -> Result) throws -> Result {
        let url = work.url(file)
        unlink(url.path)
        do { return try body() } catch let error as ProgramError {
            // Without the text, as on a full disk, the error is the same.
            let isKept = (try? AtomicFile.write(Data(error.text.utf8), to: url)) != nil
            throw InputError("\(error)\(isKept ? "; its text is in \(url.path)" : "")")
        }
    }
}
