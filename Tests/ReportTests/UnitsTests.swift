import Report
import Testing

/// Amounts in units that people use.
@Suite struct UnitsTests {
    @Test(
        arguments: [
            (0.2, "1 s"), (59.5, "1 min 0 s"), (200, "3 min 20 s"), (3600 * 5 + 600, "5 h 10 min"), (86_400 * 12, "12 days"),
            (86_400 * 365.25 * 3.4, "3.4 years"), (86_400 * 365.25 * 1731, "1731 years"),
        ] as [(Double, String)])
    func times(_ seconds: Double, _ expected: String) { #expect(Units.time(seconds) == expected) }

    @Test(
        arguments: [
            (0, "0 FLOP"), (1e6, "1 MFLOP"), (3.24e18, "3.24 EFLOP"), (7.66e20, "766 EFLOP"), (5e22, "50 ZFLOP"),
        ] as [(Double, String)])
    func flops(_ count: Double, _ expected: String) { #expect(Units.flops(count) == expected) }

    @Test func othersToo() {
        #expect(Units.bytes(1536) == "1.5 KiB" && Units.bytes(3 * 1024 * 1024 * 1024) == "3 GiB")
        #expect(Units.count(9999) == "9999" && Units.count(115_000_000) == "115 M")
        #expect(Units.gpuTime(1e15) == nil)
        // A day of 125 TFLOP/s.
        #expect(Units.gpuTime(125e12 * 86_400) == "1 GPU-days")
        #expect(Units.gpuTime(seconds: 1800) == "0.5 GPU-hours" && Units.gpuTime(seconds: 86_400 * 36.5) == "36.5 GPU-days")
        #expect(Units.gpuTime(seconds: 86_400 * 365.25 * 4) == "4 GPU-years")
        #expect(Units.energy(3600) == "1 Wh" && Units.energy(7.2e12) == "2 GWh")
    }
}
