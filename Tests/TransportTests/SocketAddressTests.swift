import Foundation
import Testing
import Transport

@Suite struct SocketAddressTests {
    @Test(arguments: ["127.0.0.1:0", "10.1.2.3:65535", "[::1]:80", "[fe80::1:2]:4000"])
    func textRoundTrips(_ text: String) throws {
        let address = try SocketAddress.parse(text)
        #expect(address.description == text)
        let data = try JSONEncoder().encode([address])
        #expect(try JSONDecoder().decode([SocketAddress].self, from: data) == [address])
    }

    @Test(arguments: [
        "", ":", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:+1", "127.0.0.1:8o", "::1:80", "[::1]", "[::1:80", "[]:80", "localhost:80",
        "256.0.0.1:80", "127.0.0.1:000080", "[zz::]:1", "127.0.0.1:80\0", "\0:80",
    ])
    func otherTextIsRefused(_ text: String) {
        #expect(
            throws: TransportError(code: .invalidAddress, operation: .parse, detail: text)
        ) { try SocketAddress.parse(text) }
    }

    @Test func namesAreLookedUp() throws {
        let found = try SocketAddress.resolve("localhost:4711")
        #expect(found.contains { $0.isLoopback && $0.port == 4711 })
        do {
            _ = try SocketAddress.resolve("no-such-host.invalid:1")
            Issue.record("a name that cannot exist was found")
        } catch {
            #expect(error.code == .nameNotFound)
            #expect(
                error.description
                    == "cannot look up \"no-such-host.invalid\": no address is known for this name")
        }
    }

    @Test func kindsAreTold() throws {
        #expect(try SocketAddress.parse("127.9.0.1:1").isLoopback)
        #expect(try SocketAddress.parse("[::1]:1").isLoopback)
        #expect(try !SocketAddress.parse("10.0.0.1:1").isLoopback)
        #expect(try SocketAddress.parse("0.0.0.0:1").isWildcard)
        #expect(try SocketAddress.parse("[::]:1").isWildcard)
        #expect(try SocketAddress.parse("10.0.0.1:1").with(port: 9).description == "10.0.0.1:9")
    }
}

@Suite struct DeadlineTests {
    @Test func remainingTimeIsRoundedUpAndNeverNegative() {
        #expect(Deadline.after(.seconds(-5)).remaining == .zero)
        #expect(Deadline.after(.seconds(-5)).pollMilliseconds == 0)
        #expect(Deadline.after(.seconds(-5)).hasPassed)
        let long = Deadline.after(.seconds(1_000_000_000))
        #expect(long.pollMilliseconds == 86_400_000)
        #expect(!long.hasPassed)
        let soon = Deadline.after(.seconds(3600))
        #expect((1...3_600_000).contains(soon.pollMilliseconds))
        #expect(Deadline.earliest(soon, long) == soon && Deadline.earliest(long, soon) == soon)
    }
}
