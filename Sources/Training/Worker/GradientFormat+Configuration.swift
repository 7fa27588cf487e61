import DataParallel
import Configuration
import Learning

extension GradientFormat {
    /// What a configuration calls it.
    package init(_ numbers: GradientNumbers) {
        switch numbers {
        case .float32: self = .float32
        case .bfloat16: self = .bfloat16
        }
    }
}
