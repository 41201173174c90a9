import Sweep
import Testing

@Suite struct EndpointGrammarTests {
    private let arms = """
        name: x
        seeds: [0, 1]
        arms: {a: {tokenizer.variant: baseline-2d}, b: {tokenizer.variant: prologue}}
        axes: {prior.steps: [500, 2000]}
        tuning.enabled: true

        """

    @Test func endpointsAreNamesOrMaps() throws {
        let sweep = try load(
            arms + """
                compare:
                  baseline: {arm: a}
                  endpoints:
                    - prior_gap.nocfg
                    - {metric: rfid, margin: 1.5}
                    - {metric: prior_gap.best-temperature, only: "prior.steps = 2000 and arm = 'b'"}
                """)
        #expect(
            sweep.compare.endpoints == [
                Endpoint(metric: "prior_gap.nocfg"), Endpoint(metric: "rfid", margin: 1.5),
                Endpoint(metric: "prior_gap.best-temperature", only: "prior.steps = 2000 and arm = 'b'"),
            ])
        #expect(try load(arms + "compare: {baseline: {arm: a}, metric: rfid}").compare.endpoints.isEmpty)
    }

    @Test(arguments: [
        ("rfid", "sweep.yaml:6: compare.endpoints must be a list of scores, not \"rfid\""),
        ("[]", "compare.endpoints must be a list of scores"),
        ("[rfdi]", "no score is called 'rfdi'; did you mean 'rfid'?"),
        ("[{margin: 1}]", "an endpoint is the name of a score, or a map with metric"),
        (
            "[{metric: rfid, margn: 1}]",
            "unknown key compare.endpoints.margn; an endpoint has metric, against, only, margin; did you mean margin?"
        ),
        ("[{metric: rfid, margin: 0}]", "compare.endpoints.margin is 0, but must be a number above 0"),
        ("[{metric: rfid, margin: wide}]", "but must be a number above 0"),
        ("[{metric: rfid, only: \"arm = 'c'\"}]", "compare.endpoints.only"),
        ("[{metric: rfid, only: prior.step = 500}]", "unknown key prior.step"),
        ("[{metric: rfid, only: prior.steps = 501}]", "no cell meets the condition"),
        ("[{metric: rfid, against: l2@pixels}]", "no score is called 'l2@pixels'"),
        ("[gfid.tund]", "a score of samples called 'tund'"),
    ]) func mistakesAreNamed(_ written: String, _ message: String) throws {
        let error = try #require(try loadingError(arms + "compare: {baseline: {arm: a}, endpoints: \(written)}"))
        #expect(error.contains(message), "\(error)")
    }

    @Test(arguments: [
        ("prior.unconditional: true\nsampling.settings: {a: {guidance.scale: 2}}", "sampling.settings.a guides to a class"),
        ("prior.unconditional: true\nsampling.settings: {a: {visual_guidance: {scale: 2}}}", "sampling.settings.a guides to a class"),
        ("prior.unconditional: true\nsemantics.enabled: true", "semantics.enabled studies what is drawn for a class"),
        ("prior.unconditional: true\ntokenizer.variant: prologue-onestage", "trains its prior with the tokenizer"),
        ("scores.more_seeds: [1, 1]", "must be different from one another and from features.seed 0"),
        ("scores.more_seeds: [0]", "whose network is compared in anyway"),
        ("scores.factor_network: true", "needs recorded factors, which data.set fashion-mnist does not have; use shapes"),
    ]) func whatCannotBeIsSaid(_ lines: String, _ message: String) throws {
        let error = try #require(try loadingError("name: x\n\(lines)"))
        #expect(error.contains(message), "\(error)")
    }

    /// Without the class there is nothing that label_drop 0 would leave untrained.
    @Test func anUnconditionalPriorNeedsNoLabelDrop() throws {
        #expect(
            try loadingError(
                "name: x\nprior: {unconditional: true, label_drop: 0, snapshots: [100]}\nsampling.settings: {a: {unconditional: true}}")
                == nil)
    }
}
