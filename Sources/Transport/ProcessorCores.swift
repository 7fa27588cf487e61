import CTransport

/// Which of the machine's cores this process may use.
package enum ProcessorCores {
    /// Their numbers, ascending; empty where the system does not say.
    package static var available: [Int] {
        var set = rondo_core_set()
        guard rondo_get_cores(&set) == 0 else { return [] }
        return withUnsafeBytes(of: set) { bytes in
            (0..<bytes.count * 8).filter { bytes[$0 / 8] >> UInt8($0 % 8) & 1 == 1 }
        }
    }
}
