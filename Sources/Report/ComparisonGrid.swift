import Evaluation
import Experiment
import Files
import Metrics
import Settings
import Sweep

/// Which arm stands where in a comparison: a row an arm, or rows and columns by the values of keys.
struct ComparisonGrid {
    let rowTitles: [String]
    /// The texts of each row, one a title.
    private(set) var rows: [[String]] = []
    /// Labels of the columns; one empty label where there is no pivot.
    private(set) var columns: [String] = []
    private var places: [Place: SweepResults.Arm] = [:]
    /// How many arms each place was chosen from.
    private var tried: [Place: Int] = [:]

    private struct Place: Hashable {
        let row: Int
        let column: String
    }

    init(_ results: SweepResults, _ request: ComparisonTable.Request) throws {
        guard !request.rows.isEmpty || !request.columns.isEmpty else {
            rowTitles = ["arm"]
            columns = [""]
            for (number, arm) in results.arms.enumerated() {
                rows.append([arm.label])
                places[Place(row: number, column: "")] = arm
            }
            if request.select != nil { throw InputError("--select chooses among arms that share a place: give --rows or --columns") }
            return
        }
        rowTitles = request.rows.isEmpty ? ["runs"] : request.rows
        for key in request.rows + request.columns { try Self.requireKnown(key, results.arms) }
        let select = try request.select.map(results.metricName)

        let placed = try results.arms.map { arm in
            (
                arm: arm, row: request.rows.isEmpty ? [results.name] : try request.rows.map { try Self.text($0, arm) },
                column: try request.columns.map { try Self.text($0, arm) }
            )
        }
        rows = Self.inOrder(placed.map(\.row).uniqued())
        let heads = Self.inOrder(placed.map(\.column).uniqued())
        func head(_ values: [String]) -> String {
            zip(request.columns, values).map { "\(Schema.shortName(of: $0))=\($1)" }.joined(separator: ", ")
        }
        columns = heads.map(head)
        var candidates: [Place: [SweepResults.Arm]] = [:]
        for (arm, row, column) in placed {
            candidates[Place(row: rows.firstIndex(of: row) ?? 0, column: head(column)), default: []].append(arm)
        }
        for (place, arms) in candidates.sorted(by: { ($0.key.row, $0.key.column) < ($1.key.row, $1.key.column) }) {
            places[place] = try arms.count == 1 ? arms[0] : Self.choose(arms, select, request, rows[place.row], place.column)
            tried[place] = arms.count
        }
    }

    /// By each value in turn: numbers by size, words as they came.
    private static func inOrder(_ places: [[String]]) -> [[String]] {
        let orders = (places.first ?? []).indices.map { key -> [String: Double] in
            let values = places.map { $0[key] }.uniqued()
            let numbers = values.compactMap(Double.init)
            let ranks = numbers.count == values.count ? numbers : values.indices.map(Double.init)
            return Dictionary(zip(values, ranks), uniquingKeysWith: { first, _ in first })
        }
        return places.sorted { left, right in
            for (key, order) in orders.enumerated() where left[key] != right[key] {
                return (order[left[key]] ?? 0) < (order[right[key]] ?? 0)
            }
            return false
        }
    }

    /// All arms shown, row by row.
    var arms: [SweepResults.Arm] { rows.indices.flatMap { row in columns.compactMap { arm(row: row, column: $0) } } }

    func arm(row: Int, column: String) -> SweepResults.Arm? { places[Place(row: row, column: column)] }

    func arms(in column: String) -> [SweepResults.Arm] { rows.indices.compactMap { arm(row: $0, column: column) } }

    /// How many cells each place was chosen from, where any was.
    func notes(_ shown: [String], _ select: String?) -> [String] {
        guard let select, tried.values.contains(where: { $0 > 1 }) else { return [] }
        let counts = rows.indices.flatMap { row in
            columns.compactMap { column in
                tried[Place(row: row, column: column)].map { count in
                    "\((rows[row] + (column.isEmpty ? [] : [column])).joined(separator: ", ")) \(count)"
                }
            }
        }
        let isUneven = Set(tried.values).count > 1
        let isShown = shown.contains { MetricName($0).isMeant(by: select) }
        return [
            "each place shows the best by \(select) of the cells tried"
                + (isUneven ? "; more were tried for some than for others" : "") + ": " + counts.joined(separator: "; ")
                + (isShown ? ". The score chosen by is shown: the best of several looks better than it is" : "")
        ]
    }

    private static func choose(
        _ arms: [SweepResults.Arm], _ select: String?, _ request: ComparisonTable.Request, _ row: [String], _ column: String
    ) throws -> SweepResults.Arm {
        guard let select else {
            let keys = FlatSettings.differing(arms.compactMap { $0.runs.first?.settings })
                .filter { $0 != "seed" && !$0.hasPrefix("seeds.") }
            let place = (row + (column.isEmpty ? [] : [column])).joined(separator: ", ")
            throw InputError(
                "\(arms.count) arms share the place \(place) and would be averaged over more than seeds: they differ in "
                    + "\(keys.prefix(6).joined(separator: ", "))\(keys.count > 6 ? ", …" : ""). Name it with --rows or --columns, "
                    + "take some with --only or --where, or show the best with --select SCORE")
        }
        guard let better = MetricName(select).measure.better else {
            throw InputError("--select \(select): neither end of this score is the good one, so nothing can be chosen by it")
        }
        let measured = ComparisonProtocols(arms).all(select, arms)
        guard measured.count <= 1 else {
            throw InputError(
                "--select \(select): it was measured under different protocols (\(MeasuringProtocol.difference(measured))), so that "
                    + "no best can be chosen; put what differs in rows or columns, or take some with --only or --where")
        }
        let scored = arms.compactMap { arm in Estimate(of: arm.values(select).map(\.value)).map { (arm, $0.mean) } }
        let best = better == .lower ? scored.min { $0.1 < $1.1 } : scored.max { $0.1 < $1.1 }
        return best?.0 ?? arms[0]
    }

    /// The value that all runs of an arm share.
    private static func text(_ key: String, _ arm: SweepResults.Arm) throws -> String {
        let values = Set(arm.runs.map { $0.value(of: key) })
        guard values.count <= 1 else {
            throw InputError("\(key) is averaged over: the runs of \(arm.label) have \(values.count) values of it; --over says over what")
        }
        guard let value = values.first ?? nil, value != .null else { return key == "label" || key == "arm" ? arm.label : "–" }
        return value.stringValue ?? value.canonical
    }

    private static func requireKnown(_ key: String, _ arms: [SweepResults.Arm]) throws {
        let runs = arms.flatMap(\.runs)
        guard !["label", "arm"].contains(key), !runs.contains(where: { $0.value(of: key) != nil }) else { return }
        let known = Set(runs.flatMap { $0.settings.keys + $0.names.keys })
        // The end of a key may be all that was written.
        let meant = known.filter { $0.hasSuffix(".\(key)") }.sorted()
        let hint = meant.isEmpty ? nearest(to: key, among: known) : meant.prefix(3).joined(separator: " or ")
        throw InputError("no run has a setting \(key)\(hint.map { "; did you mean \($0)?" } ?? "")")
    }
}
