/// The program's version: what `rondo --version` prints, and what a worker sends to the
/// coordinator, which takes only workers of its own version.
package enum ProductVersion {
    package static let current = "0.1.0"
}
