// JSON5's freedoms and limits, value by value.

import Foundation
import Configuration
import Learning
import Testing

private func value(_ text: String) throws(ConfigurationError) -> ConfigurationValue {
    try ConfigurationValue.parse(Data(text.utf8), origin: "text")
}

@Test(
    arguments: [
        ("null", .null), ("true", .bool(true)), ("false", .bool(false)), ("0", .integer(0)),
        ("-0x1F", .integer(-31)), ("+7", .integer(7)), ("9223372036854775807", .integer(.max)),
        ("-9223372036854775808", .integer(.min)), ("1e3", .integer(1000)), ("3.0", .integer(3)),
        (".5", .number(0.5)), ("-5.5", .number(-5.5)), ("5.", .integer(5)), ("1.e-1", .number(0.1)),
        ("1e-4", .number(1e-4)), ("-Infinity", .number(-.infinity)),
        ("18446744073709551616", .number(0x1p64)), ("1e400", .number(.infinity)),
        ("'it''", nil), ("'a\"b'", .string("a\"b")), ("\"a'b\"", .string("a'b")),
        (#""\x41\u00e9\ud83c\udfb5\n\q""#, .string("A\u{e9}\u{1F3B5}\nq")), (#""\ud83c""#, nil),
        (#""\1""#, nil), ("\"a\\\nb\"", .string("ab")),
        ("[1, 2, ]", .array([.integer(1), .integer(2)])),
        ("[,]", nil),
        ("{ $a_1: 1, 'b c': [], }", .object(["$a_1": .integer(1), "b c": .array([])])),
        ("{ 1a: 1 }", nil), ("// c\n/* d\n */ 1 // e", .integer(1)), ("\u{feff}1", .integer(1)),
        ("0x", nil), ("0xg", nil), ("0x-1", nil), (".", nil), ("-", nil), ("+", nil), ("1e", nil),
        ("1e+", nil), ("1e+-1", nil), (".e1", nil), ("0.1.2", nil), ("01", nil), ("1_0", nil),
        ("--1", nil), ("infinity", nil), ("0x1p3", nil), ("\u{661}", nil), ("", nil),
    ] as [(String, ConfigurationValue?)])
func textReadsAs(text: String, expected: ConfigurationValue?) throws {
    guard let expected else {
        #expect(throws: ConfigurationError.self) { try value(text) }
        return
    }
    #expect(try value(text) == expected)
}

@Test func invalidUTF8IsRefused() {
    #expect(throws: ConfigurationError.self) {
        try ConfigurationValue.parse(Data([0x22, 0xff, 0x22]), origin: "text")
    }
}

@Test func encodedTreeReadsBackEqual() throws {
    let tree = ConfigurationValue.object([
        "empty": .object([:]), "list": .array([.array([]), .null, .bool(true)]),
        "text": .string("\"\\\n\t\u{1}\u{1F3B5}"), "tiny": .number(.leastNonzeroMagnitude),
        "third": .number(1.0 / 3),
        "large": .number(.greatestFiniteMagnitude), "number": .integer(-3),
    ])
    #expect(try ConfigurationValue.parse(tree.encoded(), origin: "text") == tree)
}
