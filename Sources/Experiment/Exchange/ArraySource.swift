import Archives
import Evaluation
import Files
import Foundation
import RunStore

/// Named arrays of floating-point numbers in a file, read in blocks of rows so that none need fit in memory.
protocol ArraySource {
    var path: String { get }
    var names: [String] { get }
    /// What mean and covariance are called: of the features, and of those that keep places.
    var statisticsNames: (pooled: (mean: String, covariance: String), spatial: (mean: String, covariance: String)) { get }
    func shape(of name: String) throws -> [Int]
    /// A whole array, widened.
    func doubles(_ name: String) throws -> (shape: [Int], values: [Double])
    /// Blocks of rows of a matrix from first to last: `FeatureMatrix` where float32 is stored, else `DoubleFeatureMatrix`.
    func forEachBlock(_ name: String, _ body: (any FeatureRows) throws -> Void) throws
    /// What images are called, uint8 [images, height, width, 1 or 3].
    var imagesName: String { get }
    /// The images from first to last, at most `size` at a time, with the shape of the block.
    func forEachImageBlock(of size: Int, _ body: (_ shape: [Int], _ pixels: [UInt8]) throws -> Void) throws
}

extension ArraySource {
    func has(_ name: String) -> Bool { names.contains(name) }

    /// Rows that are read at a time.
    static var blockRows: Int { 1024 }

    /// [images, features], checked to be that.
    private func requireMatrix(_ name: String) throws -> (rows: Int, columns: Int) {
        let shape = try shape(of: name)
        guard shape.count == 2, shape[0] > 0, shape[1] > 0 else {
            throw InputError(file: path, "'\(name)' has shape \(shape); expected [images, features]")
        }
        return (shape[0], shape[1])
    }

    /// A matrix in the precision it is stored in.
    func matrix(_ name: String) throws -> any FeatureRows {
        let (rows, columns) = try requireMatrix(name)
        var (single, double): ([Float], [Double]) = ([], [])
        var row = 0
        try forEachBlock(name) { block in
            try block.requireFinite(called: "'\(name)'", from: row)
            row += block.rows
            if let block = block as? FeatureMatrix { single += block.values }
            if let block = block as? DoubleFeatureMatrix { double += block.values }
        }
        return double.isEmpty
            ? FeatureMatrix(rows: rows, columns: columns, values: single)
            : DoubleFeatureMatrix(rows: rows, columns: columns, values: double)
    }

    /// Mean and covariance of a matrix that is not kept.
    func statistics(of name: String) throws -> Gaussian {
        var statistics = FeatureStatistics(columns: try requireMatrix(name).columns)
        try forEachBlock(name) {
            try $0.requireFinite(called: "'\(name)'", from: statistics.count)
            try statistics.add($0)
        }
        return try statistics.gaussian()
    }

    /// Stored statistics, if both are there.
    func statistics(_ names: (mean: String, covariance: String)) throws -> Gaussian? {
        let present = [names.mean, names.covariance].filter(has)
        if present.isEmpty { return nil }
        guard present.count == 2 else {
            throw InputError(
                file: path, "has '\(present[0])' but not both of '\(names.mean)' and '\(names.covariance)'")
        }
        let (mean, covariance) = (try shape(of: names.mean), try shape(of: names.covariance))
        guard mean.count == 1, covariance == [mean[0], mean[0]] else {
            throw InputError(
                file: path, "'\(names.mean)' has shape \(mean) and '\(names.covariance)' \(covariance); expected [d] and [d, d]")
        }
        do { return try Gaussian(mean: doubles(names.mean).values, covariance: doubles(names.covariance).values) } catch let error
            as InputError
        {
            throw InputError(file: path, "'\(names.mean)', '\(names.covariance)': \(error.message)")
        }
    }
}

struct NpzSource: ArraySource {
    let file: Npz
    let path: String

    init(_ url: URL) throws { (file, path) = (try Npz(reading: url), url.path) }

    var names: [String] { file.names }
    var statisticsNames: (pooled: (mean: String, covariance: String), spatial: (mean: String, covariance: String)) {
        (("mu", "sigma"), ("mu_s", "sigma_s"))
    }

    func shape(of name: String) throws -> [Int] { try file.rows(name).shape }

    func doubles(_ name: String) throws -> (shape: [Int], values: [Double]) {
        let array = try file.array(name)
        return (array.shape, array.doubles)
    }

    func forEachBlock(_ name: String, _ body: (any FeatureRows) throws -> Void) throws {
        let rows = try file.rows(name)
        while let block = try rows.next(Self.blockRows) {
            let (count, width) = (block.shape[0], block.shape[1])
            switch block.values {
            case .float32(let values): try body(FeatureMatrix(rows: count, columns: width, values: values))
            default: try body(DoubleFeatureMatrix(rows: count, columns: width, values: block.doubles))
            }
        }
    }

    var imagesName: String { "arr_0" }

    func forEachImageBlock(of size: Int, _ body: ([Int], [UInt8]) throws -> Void) throws {
        let rows = try file.rows(imagesName)
        let shape = rows.shape
        while let pixels = try pixels(rows, size) {
            try body([pixels.count / max(1, shape.dropFirst().reduce(1, *))] + shape.dropFirst(), pixels)
        }
    }

    /// The pixels of the next images, at most `count`; nil after the last.
    func pixels(_ rows: NumpyRows, _ count: Int) throws -> [UInt8]? {
        guard let block = try rows.next(count) else { return nil }
        guard case .uint8(let pixels) = block.values else {
            throw InputError(file: path, "member '\(imagesName)' holds \(block.typeName); expected uint8")
        }
        return pixels
    }
}

struct HDF5Source: ArraySource {
    let file: HDF5File
    let path: String
    let names: [String]

    init(_ url: URL) throws {
        (file, path) = (try HDF5File(reading: url), url.path)
        names = try file.datasets()
    }

    var statisticsNames: (pooled: (mean: String, covariance: String), spatial: (mean: String, covariance: String)) {
        (("mean", "covariance"), ("spatial_mean", "spatial_covariance"))
    }

    func shape(of name: String) throws -> [Int] { try file.shape(of: name) }

    func doubles(_ name: String) throws -> (shape: [Int], values: [Double]) {
        let array = try file.numbers(name)
        return (array.shape, array.values)
    }

    func forEachBlock(_ name: String, _ body: (any FeatureRows) throws -> Void) throws {
        let shape = try shape(of: name)
        let isSingle = (try? file.read(rows: 0..<1, of: name, as: Float.self)) != nil
        for start in stride(from: 0, to: shape[0], by: Self.blockRows) {
            let range = start..<min(shape[0], start + Self.blockRows)
            if isSingle {
                let block = try file.read(rows: range, of: name, as: Float.self)
                try body(FeatureMatrix(rows: range.count, columns: shape[1], values: block.values))
            } else {
                let values = try file.numbers(name, rows: range).values
                try body(DoubleFeatureMatrix(rows: range.count, columns: shape[1], values: values))
            }
        }
    }

    var imagesName: String { "images" }

    func forEachImageBlock(of size: Int, _ body: ([Int], [UInt8]) throws -> Void) throws {
        let count = try shape(of: imagesName)[0]
        for start in stride(from: 0, to: count, by: size) {
            let block = try file.read(rows: start..<min(count, start + size), of: imagesName, as: UInt8.self)
            try body(block.shape, block.values)
        }
    }
}

extension HDF5File {
    /// Numbers of any type as float64, all or those of some rows; the error about anything else names its type.
    func numbers(_ name: String, rows: Range<Int>? = nil) throws -> (shape: [Int], values: [Double]) {
        if let integers = try? read(name, rows, as: Int64.self) { return (integers.shape, integers.values.map(Double.init)) }
        let array = try read(name, rows, as: Double.self)
        return (array.shape, array.values)
    }

    private func read<Element: HDF5Element>(
        _ name: String, _ rows: Range<Int>?, as type: Element.Type
    ) throws -> HDF5Array<Element> {
        try rows.map { try read(rows: $0, of: name, as: type) } ?? read(name, as: type)
    }
}
