import Foundation
import Settings

/// Classifier-free guidance: logits = s·cond + (1−s)·uncond, s over the step t = 0, 1, … (method §5.1).
public enum Guidance: Equatable, Sendable {
    /// Conditional logits only.
    case off
    /// One curve over the whole sequence, from 1 to `scale`.
    case overall(scale: Double, schedule: GuidanceSchedule, power: Double)
    /// One curve for the prologue (from 0) and one for EOS and image (from 1).
    case split(prologue: Curve, visual: Curve)

    public struct Curve: Equatable, Sendable {
        public var schedule: GuidanceSchedule
        public var scale, power, start: Double

        public init(schedule: GuidanceSchedule, scale: Double, power: Double = 1, start: Double) {
            self.schedule = schedule
            self.scale = scale
            self.power = power
            self.start = start
        }

        /// start + (scale − start)·shape, shape = t (linear) or ½(1 − cos(πtᵖ)); constant is the scale itself.
        func value(at t: Double) -> Double {
            switch schedule {
            case .constant: scale
            case .linear: start + (scale - start) * t
            case .cosine: start + (scale - start) * 0.5 * (1 - cos(.pi * pow(t, power)))
            }
        }
    }

    /// What `settings` say: split guidance where there is any, its other segment unguided; a scale of 0 over the whole
    /// sequence means off.
    public init(_ settings: SamplerSettings) {
        func curve(_ segment: SplitGuidanceSettings?, start: Double) -> Curve {
            guard let segment else { return Curve(schedule: .constant, scale: 1, start: start) }
            return Curve(
                schedule: segment.schedule, scale: segment.scale, power: segment.power, start: segment.start ?? start)
        }
        let (prologue, visual, whole) = (settings.prologueGuidance, settings.visualGuidance, settings.guidance)
        if prologue != nil || visual != nil {
            self = .split(prologue: curve(prologue, start: 0), visual: curve(visual, start: 1))
        } else {
            self = whole.scale == 0 ? .off : .overall(scale: whole.scale, schedule: whole.schedule, power: whole.power)
        }
    }

    /// s at token `t` of a sequence; nil: conditional logits only.
    public func scale(at t: Int, layout: SequenceLayout) -> Double? {
        let (k, length) = (layout.prologueTokens, layout.length)
        switch self {
        case .off: return nil
        case .overall(let scale, let schedule, let power):
            let curve = Curve(schedule: schedule, scale: scale, power: power, start: 1)
            return curve.value(at: Double(t) / Double(length))
        case .split(let prologue, let visual):
            return t < k
                ? prologue.value(at: Double(t) / Double(k))
                : visual.value(at: Double(t - k) / Double(length - k))
        }
    }
}
