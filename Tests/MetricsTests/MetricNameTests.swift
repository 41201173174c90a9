import Files
import Metrics
import Testing

@Suite struct MetricNameTests {
    /// A name of every form, with the fields that it has: what stages write is what readers understand.
    private static let names: [(String, Measure, [MetricField: String])] = [
        ("gfid@fashion-cnn.nocfg", .gfid, [.features: "fashion-cnn", .sampler: "nocfg"]),
        ("gfid@s.cfg-1_5.step-500", .gfid, [.features: "s", .sampler: "cfg-1_5", .step: "500"]),
        ("gfid@s.guidance-1.25", .gfid, [.features: "s", .guidance: "1.25"]),
        ("prior_gap@s.guidance-2.temperature-0.9", .priorGap, [.features: "s", .guidance: "2", .temperature: "0.9"]),
        ("gfid_noise@s.nocfg", .gfidNoise, [.features: "s", .sampler: "nocfg"]),
        ("kid@s-s1.best-temperature", .kid, [.features: "s-s1", .sampler: "best-temperature"]), ("rkid@s", .rkid, [.features: "s"]),
        ("gfid_inf@s.nocfg", .gfidExtrapolated, [.features: "s", .sampler: "nocfg"]),
        ("prior_gap_floor@s.tuned", .priorGapFloor, [.features: "s", .sampler: "tuned"]),
        ("is@s.nocfg", .inceptionScore, [.features: "s", .sampler: "nocfg"]), ("is_real@s", .isReal, [.features: "s"]),
        ("l1@pixels", .l1, [.features: "pixels"]), ("rfid@s", .rfid, [.features: "s"]),
        ("bits.conditional.prologue", .bits, [.condition: "conditional", .segment: "prologue"]),
        ("tuned.scale", .tunedScale, [:]), ("classifier.accuracy", .classifierAccuracy, [:]),
        ("probe.top1", .probeTop1, [:]), ("probe.chance", .probeChance, [:]), ("probe.majority.top1", .probeMajority, [:]),
        ("probe.first-16.top1", .probeTop1, [.tokens: "first-16"]),
        ("probe.prologue.onehot.top1_low", .probeTop1, [.tokens: "prologue", .reading: "onehot", .bound: "_low"]),
        ("probe.random.shuffled.top5", .probeTop5, [.tokens: "random", .control: "shuffled"]),
        ("readout.thumbnail.pooled-4.r2", .readoutThumbnail, [.tokens: "pooled-4"]),
        ("readout.factor.background_hue.all.r2_high", .readoutFactor, [.factor: "background_hue", .tokens: "all", .bound: "_high"]),
        (
            "completion_agreement_low@s.visual-first-2.noclass", .completionAgreement,
            [.bound: "_low", .features: "s", .tokens: "visual-first-2", .told: "noclass"]
        ),
        ("completion_layout.first-0.class", .completionLayout, [.tokens: "first-0", .told: "class"]),
        ("info.first.information.hue.best", .factorInformationBest, [.segment: "first", .factor: "hue"]),
        ("info.cost.total.noclass_high", .cost, [.segment: "total", .told: "noclass", .bound: "_high"]),
        ("info.cost.reconstruction", .reconstructionCost, [:]),
        ("info.prologue.class_information_best", Measure.classInformationBest, [.segment: "prologue"]),
        ("attention.distance_even.layer11", Measure.attentionDistanceEven, [.layer: "11"]),
    ]

    @Test(arguments: names) func namesAreTakenApartAndPutTogether(_ text: String, _ measure: Measure, _ fields: [MetricField: String]) {
        let name = MetricName(text)
        #expect(name.measure == measure && name.isKnown)
        #expect(name.fields.filter { !$0.value.isEmpty } == fields)
        #expect(measure.name(fields) == text)
    }

    @Test func whatNoMeasureHasIsLeftWhole() {
        for text in ["gfid", "gfid@a@b.c", "probe.secnd.top1", "gfid@s.", "nothing.of.ours", "", "completion_gfid@s.first-2.never"] {
            let name = MetricName(text)
            #expect(!name.isKnown && name.text == text && name.measure.better == nil, "\(text)")
        }
    }

    /// R² of a readout was once taken for a distance, and the worst arm marked as the best.
    @Test(arguments: [
        ("readout.thumbnail.prologue.r2", Measure.Better.higher), ("readout.factor.hue.first.r2", .higher), ("probe.top1", .higher),
        ("probe.first.top5", .higher), ("gfid@s.nocfg", .lower), ("rfid@s", .lower), ("is@s.nocfg", .higher), ("psnr@pixels", .higher),
        ("precision@s.nocfg", .higher), ("info.cost.total.class", .lower), ("bits.conditional.visual", .lower),
        ("class_agreement@s.nocfg", .higher), ("completion_agreement@s.first-2.class", .higher), ("l1@pixels", .lower),
    ]) func theGoodEndIsKnown(_ text: String, _ better: Measure.Better) {
        #expect(MetricName(text).measure.better == better)
    }

    @Test func noiseChanceAndWhatWasChosenHaveNoGoodEnd() {
        for text in ["gfid_noise@s.nocfg", "tuned.scale", "probe.chance", "probe.majority.top1", "attention.distance", "fid_floor@s"] {
            #expect(MetricName(text).measure.better == nil && MetricName(text).isKnown, "\(text)")
        }
    }

    @Test func measuresAreDifferent() {
        #expect(Set(Measure.all.map(\.id)).count == Measure.all.count)
        #expect(Set(Measure.all.map(\.title)).count == Measure.all.count)
    }

    @Test func aFeatureSpaceMayBeLeftOutWhereThereIsOne() throws {
        let names = ["gfid@s.nocfg", "gfid@s.cfg", "rfid@s", "rfid@t", "probe.top1"].map(MetricName.init)
        #expect(try MetricName.find("gfid.nocfg", among: names).text == "gfid@s.nocfg")
        #expect(try MetricName.find("rfid@t", among: names).text == "rfid@t")
        func message(_ given: String) throws -> String {
            try #require(throws: InputError.self) { _ = try MetricName.find(given, among: names) }.message
        }
        #expect(try message("rfid") == "'rfid' may be any of rfid@s, rfid@t")
        #expect(try message("gfid.nocgf").hasSuffix("did you mean 'gfid.nocfg'?"))
        #expect(try message("FID").hasSuffix("did you mean 'gfid.cfg'?"))
    }

    @Test func peopleMayLeaveOutTheFeatureSpace() {
        #expect(MetricName.given("gfid.nocfg")[.sampler] == "nocfg" && MetricName.given("rfid").measure == .rfid)
        #expect(MetricName.given("prior_gap.guidance-1.5")[.guidance] == "1.5")
        #expect(MetricName.given("completion_agreement_low.first-2.class")[.bound] == "_low")
        #expect(!MetricName.given("FID").isKnown && !MetricName.given("gfid").isKnown)
    }

    @Test func placesAreOnTheirCurve() {
        #expect(MetricName("gfid@s.nocfg.step-500").curve == "gfid@s.nocfg")
        #expect(MetricName("gfid@s.guidance-1.5").curve == "gfid@s" && MetricName("gfid@s.guidance-1.5").place?.value == 1.5)
        #expect(MetricName("gfid@s.guidance-1.5.temperature-0.9").curve == "gfid@s.temperature-0.9")
        #expect(MetricName("gfid@s.nocfg").place == nil)
    }

    @Test func titlesAreForPeople() {
        #expect(MetricName("gfid@s.nocfg").titleLines == ["gFID", "@s", "nocfg"])
        #expect(MetricName("gfid@s.nocfg.step-500").title == "gFID nocfg step 500")
        #expect(MetricName("readout.factor.background_hue.first.r2").title == "R² background hue first")
    }

    @Test func protocolsTellInWhatTheyDiffer() {
        let protocols = [["count": 20, "seed": 0], ["count": 100, "seed": 1], ["count": 3, "seed": 1]].map { MeasuringProtocol($0) }
        #expect(MeasuringProtocol.difference(protocols) == "count = 3 or 20 or 100")
        #expect(Set([protocols[0], MeasuringProtocol(["count": 20, "seed": 7])]).count == 1)
        // Of what is nested only the parts that differ.
        let samplers = [false, true].map { MeasuringProtocol(["sampler": ["temperature": 1, "unconditional": .bool($0)]]) }
        #expect(MeasuringProtocol.difference(samplers) == "sampler.unconditional = false or true")
        #expect(samplers[1].described(by: MeasuringProtocol.differing(samplers)) == "unconditional true")
    }
}
