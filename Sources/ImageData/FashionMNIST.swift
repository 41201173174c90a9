import Files
import Foundation

/// Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 60 000 + 10 000 grey pictures of clothes, 28×28, ten classes.
public enum FashionMNIST {
    public static let classNames = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]

    /// Where Debian's package puts it.
    private static let debianFolder = URL(fileURLWithPath: "/usr/share/datasets/fashion-mnist")

    /// The folder Debian's `dataset-fashion-mnist` installs, if it is there.
    public static var installedFolder: URL? {
        FileManager.default.fileExists(atPath: debianFolder.path) ? debianFolder : nil
    }

    /// Both halves, each image in the middle of `imageSize`×`imageSize` pixels.
    ///
    /// - Parameter folder: holds the four IDX files under their usual names, plain or with `.gz`; nil means where Debian's
    ///   package installs them.
    /// - Throws: `InputError` naming the file, the byte offset and what was expected there; where nothing is installed, one
    ///   that says what to do.
    public static func load(from folder: URL? = nil, imageSize: Int = 32) throws -> LabelledData {
        guard let folder = folder ?? installedFolder else {
            throw InputError(
                """
                Fashion-MNIST is not installed: the Debian package dataset-fashion-mnist puts it in \(debianFolder.path), \
                data.path names another folder, and `data.set: shapes` needs no files
                """)
        }
        guard FileManager.default.fileExists(atPath: folder.path) else {
            throw InputError(file: folder.path, "no such folder; it should hold the four files of Fashion-MNIST")
        }
        let train = try half("train", of: folder)
        let test = try half("t10k", of: folder)
        guard train.count >= test.count else {
            throw InputError(
                file: folder.path,
                "\(train.count) training and \(test.count) test images, expected more for training: are the halves swapped?")
        }
        return LabelledData(train: try train.padded(to: imageSize), test: try test.padded(to: imageSize))
    }

    private static func half(_ prefix: String, of folder: URL) throws -> ImageSet {
        let images = try IDX(folder: folder, stem: "\(prefix)-images-idx3-ubyte", dimensions: 3)
        let labels = try IDX(folder: folder, stem: "\(prefix)-labels-idx1-ubyte", dimensions: 1)
        guard images.dimensions[0] == labels.dimensions[0] else {
            throw InputError(
                file: labels.file,
                "byte 4: \(labels.dimensions[0]) labels, expected \(images.dimensions[0]), one for each image of \(images.file)")
        }
        if let wrong = labels.values.firstIndex(where: { $0 >= classNames.count }) {
            throw InputError(
                file: labels.file, "byte \(wrong): label \(labels.values[wrong]), expected 0 to \(classNames.count - 1)")
        }
        return ImageSet(
            name: "fashion-mnist/\(prefix == "train" ? "train" : "test")", height: images.dimensions[1],
            width: images.dimensions[2], channels: 1, pixels: Array(images.values), labels: labels.values.map(Int32.init),
            classNames: classNames)
    }
}
