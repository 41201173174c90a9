/// Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.5) with a weak Wolfe line search by bisection.
struct LBFGS {
    /// Pairs of steps and gradient differences kept.
    var memory = 10
    var maximumIterations = 1000
    /// Converged when no entry of the gradient is larger than this.
    var gradientTolerance: Double
    /// Rounding error of the objective, relative: differences below it cannot reject a step.
    var valueNoise = 1e-9
    /// Where rounding ends the search before the gradient is small, the point is a minimum all the same if the quadratic model
    /// expects no larger relative decrease from it: a float32 objective could not show one. Unlike a gradient, this
    /// has no unit, so that neither the scale of the variables nor the order of a sum decides.
    var decreaseTolerance = 1e-7

    struct Result {
        var point: [Double]
        var value: Double
        /// Largest absolute entry of the gradient.
        var gradient: Double
        var iterations: Int
        var converged: Bool
    }

    /// Applies an estimate of the inverse Hessian, positive definite, to a vector in its place.
    typealias Preconditioner = (_ vector: inout [Double]) -> Void

    /// Minimises `objective`, which writes its gradient at a point and returns its value there.
    ///
    /// - Parameter preconditioner: the better it is, the fewer iterations; the minimum is the same.
    func minimise(
        from start: [Double], preconditioner: Preconditioner? = nil,
        _ objective: (_ point: [Double], _ gradient: inout [Double]) -> Double
    ) -> Result {
        var point = start
        var gradient = [Double](repeating: 0, count: start.count)
        var value = objective(point, &gradient)
        var history: [Pair] = []
        var iterations = 0
        var restarts = 0
        var expectedDecrease = Double.infinity
        while largest(gradient) > gradientTolerance && iterations < maximumIterations {
            let direction = descentDirection(gradient, history, preconditioner)
            let slope = dot(direction, gradient)
            let isScaled = preconditioner != nil || !history.isEmpty
            if isScaled, slope < 0 { expectedDecrease = -slope / 2 }
            let firstStep = isScaled ? 1 : min(1, 1 / dot(gradient, gradient).squareRoot())
            guard slope < 0,
                let step = lineSearch(point, value, direction, slope: slope, firstStep: firstStep, objective)
            else {
                // Old curvature may mislead; if forgetting it does not help, rounding is all that remains.
                if history.isEmpty || restarts == 2 { break }
                restarts += 1
                history = []
                continue
            }
            let pair = Pair(
                step: difference(step.point, point), change: difference(step.gradient, gradient), preconditioner)
            if pair.curvature > 0 {
                history.append(pair)
                if history.count > memory { history.removeFirst() }
            }
            (point, value, gradient) = (step.point, step.value, step.gradient)
            expectedDecrease = .infinity
            iterations += 1
        }
        let final = largest(gradient)
        let isMinimum = final <= gradientTolerance || expectedDecrease <= decreaseTolerance * abs(value)
        return Result(
            point: point, value: value, gradient: final, iterations: iterations,
            converged: isMinimum && value.isFinite && final.isFinite)
    }

    private struct Pair {
        let step: [Double]
        let change: [Double]
        let curvature: Double
        /// What the preconditioner has to be multiplied with to have this curvature along the change of the gradient.
        let scale: Double

        init(step: [Double], change: [Double], _ preconditioner: Preconditioner?) {
            self.step = step
            self.change = change
            curvature = dot(step, change)
            var expected = change
            preconditioner?(&expected)
            scale = curvature / dot(change, expected)
        }
    }

    /// −H·gradient, H the inverse Hessian that preconditioner and history imply (two-loop recursion).
    private func descentDirection(
        _ gradient: [Double], _ history: [Pair], _ preconditioner: Preconditioner?
    ) -> [Double] {
        var q = gradient.map { -$0 }
        var weights: [Double] = []
        for pair in history.reversed() {
            let weight = dot(pair.step, q) / pair.curvature
            add(-weight, pair.change, to: &q)
            weights.append(weight)
        }
        preconditioner?(&q)
        if let last = history.last {
            for i in q.indices { q[i] *= last.scale }
        }
        for (pair, weight) in zip(history, weights.reversed()) {
            add(weight - dot(pair.change, q) / pair.curvature, pair.step, to: &q)
        }
        return q
    }

    /// A step along `direction` that lowers the value enough and flattens the slope (weak Wolfe conditions), if found.
    private func lineSearch(
        _ point: [Double], _ value: Double, _ direction: [Double], slope: Double, firstStep: Double,
        _ objective: ([Double], inout [Double]) -> Double
    ) -> (point: [Double], value: Double, gradient: [Double])? {
        var (low, high, length) = (0.0, Double.infinity, firstStep)
        var gradient = [Double](repeating: 0, count: point.count)
        for _ in 0..<40 {
            var trial = point
            add(length, direction, to: &trial)
            let trialValue = objective(trial, &gradient)
            if !(trialValue <= value + 1e-4 * length * slope + valueNoise * abs(value)) {
                high = length
            } else if dot(gradient, direction) < 0.9 * slope {
                low = length
            } else {
                return (trial, trialValue, gradient)
            }
            length = high < .infinity ? (low + high) / 2 : 2 * low
        }
        return nil
    }
}

private func dot(_ a: [Double], _ b: [Double]) -> Double {
    a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
            var sum = 0.0
            for i in 0..<a.count { sum += a[i] * b[i] }
            return sum
        }
    }
}

private func add(_ scale: Double, _ a: [Double], to b: inout [Double]) {
    a.withUnsafeBufferPointer { a in
        b.withUnsafeMutableBufferPointer { b in
            for i in 0..<a.count { b[i] += scale * a[i] }
        }
    }
}

private func difference(_ a: [Double], _ b: [Double]) -> [Double] {
    var result = a
    add(-1, b, to: &result)
    return result
}

/// Infinite where an entry is not a number, which a comparison would pass over.
private func largest(_ a: [Double]) -> Double { a.reduce(0) { $1.isNaN ? .infinity : max($0, abs($1)) } }
