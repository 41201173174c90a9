/// The images.
public struct DataSettings: SettingsSection {
    public enum Collection: String, ChoiceSetting {
        case fashionMNIST = "fashion-mnist"
        case shapes
        case cifar10
        case imageFolder = "image-folder"
        case imageHDF5 = "image-hdf5"
        case imagenet
        case none
    }

    /// What is done about a file in an image folder that is no readable picture.
    public enum BrokenImages: String, ChoiceSetting {
        case error
        case skip
    }

    /// What is kept of pictures so that they need not be decoded again.
    public enum Cache: String, ChoiceSetting {
        case none
        case squares
        case pictures
    }

    public var set = Collection.fashionMNIST
    public var path: String?
    public var imageSize = 32
    public var channels = 3
    public var broken = BrokenImages.error
    public var trainCount: Int?
    public var testCount: Int?
    public var seed = 0
    public var prefetch = 2
    public var cache = Cache.none
    public var cacheLimit: Double?
    public var expected: ExpectedDataSettings?

    public init() {}

    public static let help = "The images: which, how large, how many."
    public static let fields: [Field<Self>] = [
        .value(
            "set", \.set,
            "Data set: Fashion-MNIST; procedural colour shapes that need no files; CIFAR-10, binary version; "
                + "PNG and JPEG pictures in train/CLASS/ and test/CLASS/, or in CLASS/ alone, of which a tenth is held out, below "
                + "a folder or in a zip file; or train_images, train_labels, test_images, test_labels, or images and labels "
                + "alone, of which a tenth is held out, in an HDF5 file; ImageNet's competition data, the zip file as it is handed out or unpacked; none: only samples are drawn, from imported models."
        ),
        .value("path", \.path, "Folder of the data set's files, or its zip or HDF5 file; null: where the system installs them."),
        .value(
            "image_size", \.imageSize,
            "Side of the square images; smaller ones are padded to it; pictures of folders, zip and HDF5 files are scaled by the shorter side and cropped in the middle.",
            .between(8, 1024), unit: "pixels"),
        .value(
            "channels", \.channels, "Channels of the images of image-folder, image-hdf5 and imagenet: 1 (grey) or 3 (colour).",
            .between(1, 3),
            unit: "channels"),
        .value(
            "broken", \.broken,
            "Files of an image folder that are no readable pictures: end with an error, or skip and "
                + "count them."),
        .value(
            "train_count", \.trainCount, "Training images used, the first ones; null: all there are.",
            .atLeast(1), unit: "images"),
        .value(
            "test_count", \.testCount, "Held-out images used, the first ones; null: all there are.",
            .atLeast(1), unit: "images"),
        .value(
            "seed", \.seed,
            "Seed of procedural images, and of which images are held out of class folders; shared by all runs, so that they see the same data.",
            .atLeast(0)),
        .value(
            "prefetch", \.prefetch, "Batches of pictures that are read and decoded ahead of a training step; 0: none.",
            .between(0, 64), unit: "batches", affectsResults: false),
        .value(
            "cache", \.cache,
            "What is kept decoded in the store's `data/`, of pictures of folders, zip and HDF5 files: squares, the middle at `image_size` as "
                + "evaluation and `crop: centre` see it; pictures, halved while they stay larger than random crops of `crop_min` 0.8 need, "
                + "which takes more room. The images are the same to the byte.", affectsResults: false),
        .value(
            "cache_limit", \.cacheLimit,
            "The most that `cache` takes, one file for each data set and size; null: what it takes to hold all, while a twentieth of the disk stays free.",
            Bounds(lower: 0, upper: 1e6, lowerIsOpen: true), unit: "GiB", affectsResults: false),
        .section("expected", \.expected),
    ]
}

/// What images are expected where they are not on this machine. Results never depend on it.
public struct ExpectedDataSettings: SettingsSection {
    public var classes = 1000
    public var trainCount = 1_281_167
    public var testCount = 50_000

    public init() {}

    public init(classes: Int, trainCount: Int, testCount: Int) {
        (self.classes, self.trainCount, self.testCount) = (classes, trainCount, testCount)
    }

    public static let help =
        "What `sweep plan` takes images to be that are not on this machine; read by nothing else. The "
        + "defaults are ImageNet's."
    public static let fields: [Field<Self>] = [
        .value("classes", \.classes, "Classes.", .atLeast(1), affectsResults: false),
        .value("train_count", \.trainCount, "Training images.", .atLeast(1), unit: "images", affectsResults: false),
        .value("test_count", \.testCount, "Held-out images.", .atLeast(1), unit: "images", affectsResults: false),
    ]
}
