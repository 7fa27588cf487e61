// The fingerprint of a model: `model_sha256`.
//
// Defined as SHA-256 over the elements of all arrays, little-endian and row-major, the arrays taken
// in the order of their names' UTF-8 bytes, with nothing in between: no names, shapes or metadata.
// Two files with equal weights have equal digests whoever wrote them.

import CCrypto
import Foundation

/// An incremental SHA-256.
public final class SHA256Digest {
    // Confined to its owner; never shared.
    private let context: OpaquePointer?

    /// An empty digest.
    public init() {
        context = EVP_MD_CTX_new()
        let status = EVP_DigestInit_ex(context, EVP_sha256(), nil)
        precondition(context != nil && status == 1, "libcrypto offers no SHA-256")
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Appends bytes.
    public func update(_ bytes: UnsafeRawBufferPointer) {
        let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(status == 1, "SHA-256 of \(bytes.count) bytes failed")
    }

    /// Appends bytes.
    public func update(_ bytes: Data) {
        for region in bytes.regions { region.withUnsafeBytes { update($0) } }
    }

    /// The digest as 64 hexadecimal digits. Call once, at the end.
    public func finish() -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var byteCount: UInt32 = 0
        let status = EVP_DigestFinal_ex(context, &digest, &byteCount)
        precondition(status == 1 && byteCount == 32, "SHA-256 gave \(byteCount) bytes")
        let digits = Array("0123456789abcdef")
        return String(digest.prefix(32).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// The digest of one piece.
    public static func hexadecimal(of bytes: Data) -> String {
        let digest = SHA256Digest()
        digest.update(bytes)
        return digest.finish()
    }
}

/// The digest of a model's weights.
public enum ModelDigest {
    /// The digest of all of `arrays`, in whatever order they come.
    public static func hexadecimal(of arrays: [NamedArray]) -> String {
        let digest = SHA256Digest()
        for array in arrays.sorted(by: { precedes($0.name, $1.name) }) {
            digest.update(array.bytes)
        }
        return digest.finish()
    }

    /// The order of names: by bytes, not by a language's rules.
    public static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}
