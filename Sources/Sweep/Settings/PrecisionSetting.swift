/// What the matrix products of transformer layers multiply.
public enum PrecisionSetting: String, ChoiceSetting {
    case float32
    case bfloat16
}
