/// A warning where the covariance of so few images is singular; nil where there are enough.
///
/// With n images at most n − 1 of its directions have any variance, and a Fréchet distance is too large by what the others
/// lack, however good the samples are.
public func fewImages(_ count: Int, of what: String, dimensions: Int) -> String? {
    guard count <= dimensions else { return nil }
    return "\(count) images of \(what) for \(dimensions) features: their covariance is singular, and Fréchet distances "
        + "say more about the number of images than about the images"
}
