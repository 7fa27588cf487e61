import CKernels
import COpenBLAS
import Glibc

/// How this process multiplies matrices: with which of OpenBLAS's kernel sets, on how many threads.
///
/// OpenBLAS reads both from the environment when the library is loaded, before `main`, so a process
/// that wants other settings has to start itself anew with the environment of `environment(...)`.
/// Two hosts get equal bits only with the same core type; our own loops (CKernels) give the same
/// bits everywhere.
public enum Arithmetic {
    /// The kernel sets that Rondo chooses between, least capable first. OpenBLAS knows more names,
    /// but few common sets let unlike machines agree (a Zen runs Haswell's kernels as fast as its
    /// own).
    public static let levels = ["generic", "Nehalem", "Haswell", "SkylakeX"]

    /// The most capable set that this processor can run.
    public static var highestLevel: String { String(cString: rondo_processor_level()) }

    /// The level that is fastest here. The choice is not left to OpenBLAS 0.3.21, which picks AVX2
    /// kernels on a Zen 5 (115 GFLOP/s), where SkylakeX's reach 217.
    public static var fastestLevel: String {
        fastestLevel(highest: highestLevel, halvesAVX512: rondo_processor_halves_avx512())
    }

    /// A Zen 4 sends AVX-512 instructions in two halves through its 256-bit units. With nothing to
    /// gain, SkylakeX's kernels lose to Haswell's there: 104 against 109 GFLOP/s at 768 x 384 x
    /// 128, 96 against 104 at 64 x 512 x 784, 69 against 90 at 32 x 1024 x 256.
    package static func fastestLevel(highest: String, halvesAVX512: Bool) -> String {
        highest == "SkylakeX" && halvesAVX512 ? "Haswell" : highest
    }

    /// The kernel set that OpenBLAS loaded in this process.
    public static var loadedCoreType: String { String(cString: openblas_get_corename()) }

    /// BLAS threads that this process uses for one product.
    public static var threadCount: Int { Int(openblas_get_num_threads()) }

    /// Makes OpenBLAS allocate the memory for its products now, while most of it is free. Where
    /// OpenBLAS 0.3.21 does not get these 128 MB, it asks for them again without end.
    ///
    /// - Returns: false if the process is not allowed that much memory.
    package static func takeProductMemory() -> Bool {
        let byteCount = (128 << 20) + (64 << 10)
        let room = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let room, room != MAP_FAILED else { return false }
        munmap(room, byteCount)
        let ones = [Float](repeating: 1, count: 64 * 64)
        var product = [Float](repeating: 0, count: 64 * 64)
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, 64, 64, 64, 1, ones, 64, ones, 64, 0,
            &product, 64)
        return true
    }

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

/// Holds every product to one thread in a process that was not started with the right environment
/// (tests, library users), because the bits depend on the thread count.
let singleThreadDefault: Void = {
    if Arithmetic.threadCountInEnvironment == nil { openblas_set_num_threads(1) }
}()
