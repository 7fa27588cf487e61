/// The numbers in which gradients travel between workers and are added up.
package enum GradientNumbers: String, CaseIterable, Codable, Sendable {
    case float32
    /// Half the bytes, for slow networks; about three decimal digits.
    case bfloat16
}
