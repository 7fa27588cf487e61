import CKernels
import COpenBLAS
import Glibc

/// How this process multiplies matrices: which of OpenBLAS's kernel sets, on how many threads.
///
/// OpenBLAS reads both from the environment when the library is loaded, before `main`, so a process
/// that wants other settings has to start itself anew with the environment of `environment(...)`.
/// Two hosts get equal bits only with the same core type; our own loops (CKernels) give the same
/// bits everywhere.
public enum Arithmetic {
    /// The kernel sets that Rondo chooses between, least capable first. OpenBLAS knows more names,
    /// but few common sets let unlike machines agree (a Zen runs Haswell's kernels as fast as its own).
    public static let levels = ["generic", "Nehalem", "Haswell", "SkylakeX"]

    /// The best level this processor can run. OpenBLAS 0.3.21 picks AVX2 kernels on an AVX-512 Zen 5
    /// (115 GFLOP/s) where SkylakeX's reach 217, so the choice is not left to it.
    public static var bestLevel: String { String(cString: rondo_processor_level()) }

    /// The kernel set that OpenBLAS loaded in this process.
    public static var loadedCoreType: String { String(cString: openblas_get_corename()) }

    /// BLAS threads that this process uses for one product.
    public static var threadCount: Int { Int(openblas_get_num_threads()) }

    /// The count that the environment asks for.
    public static var threadCountInEnvironment: Int? {
        getenv("OPENBLAS_NUM_THREADS").flatMap { Int(String(cString: $0)) }
    }

    /// Changes the count within this process. The bits of a product depend on it.
    public static func setThreadCount(_ count: Int) {
        if threadCount != count { openblas_set_num_threads(Int32(count)) }
    }

    /// Variables to set before the library is loaded.
    public static func environment(level: String, threads: Int) -> [String: String] {
        var variables = ["OPENBLAS_NUM_THREADS": String(threads)]
        if level != "generic" { variables["OPENBLAS_CORETYPE"] = level }
        return variables
    }

    /// Whether this process was started with exactly those variables.
    public static func isInEffect(level: String, threads: Int) -> Bool {
        environment(level: level, threads: threads).allSatisfy { name, value in
            getenv(name).map { String(cString: $0) == value } ?? false
        }
    }
}

/// Holds every product to one thread in a process that was not started for it (tests, library
/// users): a thread count that varies would vary the bits.
let singleThreadDefault: Void = {
    if Arithmetic.threadCountInEnvironment == nil { openblas_set_num_threads(1) }
}()
