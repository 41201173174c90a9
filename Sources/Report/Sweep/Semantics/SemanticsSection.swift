import Evaluation
import Experiment
import Files
import Foundation
import Metrics
import RunStore

/// What the semantic studies of a sweep found: tables with arms as columns, curves over the number of tokens, maps.
public struct SemanticsSection {
    public let blocks: [ReportDocument.Block]
    /// The tables with their headings, for the terminal and for files.
    public let tables: [(heading: String, table: Table)]

    /// Files of stages that the section shows itself.
    static let pictures: Set = ["completions.png", "attention.png"]

    /// - Parameter store: whose arrays the maps are drawn from.
    /// - Returns: nil where no study has been made.
    public init?(_ results: SweepResults, in store: Store) {
        guard results.scores.contains(where: { $0.measure.isOfSemantics }) else { return nil }
        let (tables, figures) = (SemanticsTables(results), SemanticsFigures(results, store))
        let parts: [Part] = [
            Part(
                "The prologue against visual tokens",
                "What the prologue has more than the baseline's visual tokens of the same replicate: mean with its 95 % interval over "
                    + "replicates, and the lowest and highest of them. Completions without the class, the prologue given against as many "
                    + "tokens of the baseline, or twice as many.", tables.differences, []),
            Part(
                "What a linear classifier reads off the tokens",
                "Top-1 accuracy on held-out images. prologue: all prologue tokens; first, random, pooled: as many visual ones, the "
                    + "first, random ones (others in each replicate), means over the cells of a coarse grid. After a comma: what is read "
                    + "instead of code vectors, or the control.", tables.probes, figures.probes),
            Part(
                "What a linear map reads off the tokens",
                "R² on held-out images: the share of the variance that ridge regression from code vectors predicts. thumbnail: the "
                    + "image in 8×8; the others: recorded factors. No decoder enters.", tables.readouts, figures.readouts),
            Part(
                "Completions without the class",
                "Some tokens of a held-out image are given, all others drawn by the prior, which is not told the class. agreement: "
                    + "completions that the classifier takes for the image's class. likeness: mean cosine of features among "
                    + "completions of the same tokens, across: of different images' tokens. layout: correlation of 8×8 thumbnails. "
                    + "source likeness: cosine with the image itself. variance within: share of the features' variance that the given "
                    + "tokens leave open.", tables.completions("noclass"), figures.completions("noclass")),
            Part(
                "Completions with the class",
                "The same, the prior being told the class: what the label alone makes alike is in the row first-0.",
                tables.completions("class"), figures.completions("class")),
            Part(
                "Information in tokens",
                "Nats, corrected for bias (Miller–Madow), means over a segment's positions; first: the first visual tokens, as many "
                    + "as the prologue has; best: the position that tells most. aggregated entropy: of the codes of all positions "
                    + "together; joint entropy: of all tokens of a segment together, at most the logarithm of the number of images.",
                tables.information, figures.information),
            Part(
                "What an image costs",
                "The parts of −ELBO side by side, in nats per held-out image: what the prior pays for the prologue with EOS and for the "
                    + "visual tokens given it; and what reconstructions leave to be said, under a Laplace distribution around them "
                    + "with the scale that suits best.", tables.costs, figures.costs),
            Part(
                "Accuracy at equal bits",
                "Top-1 of the linear classifier at the bits that the sweep names (9 unless it says otherwise), on straight lines between "
                    + "the lengths below; – beyond the longest set.", tables.matchedRates, []),
            Part(
                "Accuracy against bits",
                "bits: what held-out tokens of the set cost in a code made from training tokens (each given one other, along a "
                    + "Chow–Liu tree). Classifiers of one-hot codes: linear, 20 nearest neighbours, a hidden layer (mlp), attention by one "
                    + "query. label bits: online code of the class, bits a label. best: visual tokens chosen by the class; pixels: the "
                    + "nearest of 512 k-means centres. modularity, compactness: of tokens and recorded factors (InfoMEC).",
                tables.rates, []),
            Part(
                "What tokens do",
                "Tokens of held-out images are given, the rest is drawn without the class; then with the tokens of another image, by the "
                    + "same random numbers. named like the other, layout and colour towards the other: how far images go to where the "
                    + "tokens are from. changed by one token: one token replaced, against drawing again with other random numbers. "
                    + "named like the tokens' image, like the class told: the prior is told the class of another image. shuffled: "
                    + "prologues put together from many images.", tables.interventions, []),
            Part(
                "Whether seeds agree on tokens",
                "Adjusted mutual information of tokens of two seeds on the held-out images, positions paired as suits best: 1 for the "
                    + "same partition of images, 0 for chance.", TokenAgreement.table(results, in: store), []),
            Part(
                "What the visual tokens cost by themselves",
                "Bits per held-out image, the sum over all prologues: comparable between arms with a prologue and without. joint bits: with "
                    + "the prologue that the encoder chose, an upper bound; error: of the mean, by drawing other prologues; effective "
                    + "draws: so many equally heavy ones would tell as much; share of the own prologue: p(its prologue | visual tokens).",
                tables.marginals, []),
            Part(
                "Where the prior looks",
                "Shares of attention while visual tokens are predicted, mean over layers and heads; distance in patches between the "
                    + "predicted place and the visual tokens attended to; even: for attention spread evenly over all earlier inputs.",
                tables.attention, figures.attention),
        ]
        self.tables = parts.compactMap { part in part.table.map { (part.heading, $0) } }
        blocks = [.heading("What the tokens know")] + parts.flatMap(\.blocks)
    }

    /// Writes the section as `semantics.md` with its figures in `pictures/`, and every table as CSV.
    public func write(to folder: URL, title: String) throws {
        var document = ReportDocument(title: title)
        document.add(blocks)
        try document.writeMarkdown(to: folder.appendingPathComponent("semantics.md"))
        for (heading, table) in tables {
            let name = heading.lowercased().replacing(" ", with: "-")
            try AtomicFile.write(Data(table.csv().utf8), to: folder.appendingPathComponent("\(name).csv"))
        }
    }

    private struct Part {
        let heading, text: String
        let table: Table?
        let figures: [ReportDocument.Block]

        init(_ heading: String, _ text: String, _ table: Table?, _ figures: [ReportDocument.Block]) {
            (self.heading, self.text, self.table, self.figures) = (heading, text, table, figures)
        }

        var blocks: [ReportDocument.Block] {
            guard table != nil || !figures.isEmpty else { return [] }
            return [.subheading(heading), .paragraph(text)] + (table.map { [.table($0)] } ?? []) + figures
        }
    }
}
