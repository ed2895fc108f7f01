import Compression
import Foundation
import NIOCore
import Testing

@testable import Gateway

@Suite("Archives")
struct TarParserTests {
    private static func header(_ name: String, size: Int, kind: String = "0", magic: String = "ustar\u{0}00") -> [UInt8]
    {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            block.replaceSubrange(offset..<(offset + text.utf8.count), with: Array(text.utf8))
        }
        put(name, at: 0)
        put("0000644\u{0}", at: 100)
        let octal = String(size, radix: 8)
        put(String(repeating: "0", count: 11 - octal.count) + octal + "\u{0}", at: 124)
        put("        ", at: 148)
        put(kind, at: 156)
        put(magic, at: 257)
        let sum = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
        put(String(repeating: "0", count: 6 - sum.count) + sum + "\u{0} ", at: 148)
        return block
    }

    private static func content(_ text: String) -> [UInt8] {
        Array(text.utf8) + [UInt8](repeating: 0, count: (512 - text.utf8.count % 512) % 512)
    }

    private static func record(_ name: String, _ value: String) -> String {
        let rest = " \(name)=\(value)\n"
        var length = rest.utf8.count
        while String(length).count + rest.utf8.count != length { length = String(length).count + rest.utf8.count }
        return "\(length)\(rest)"
    }

    /// Entries with their content, whatever pieces the archive comes in.
    private static func parse(_ bytes: [UInt8], piece: Int) throws -> [(TarParser.Entry, String)] {
        var parser = TarParser()
        var rest = bytes[...]
        var found: [(TarParser.Entry, String)] = []
        while true {
            switch try parser.next() {
            case .needsMore:
                guard !rest.isEmpty else {
                    #expect(parser.mayEnd)
                    return found
                }
                parser.append(ByteBuffer(bytes: rest.prefix(piece)))
                rest = rest.dropFirst(piece)
            case .entry(let entry): found.append((entry, ""))
            case .data(let bytes): found[found.count - 1].1 += String(buffer: bytes)
            case .endOfEntry: break
            case .end: return found
            }
        }
    }

    @Test("The same entries in pieces of any size", arguments: [1, 7, 511, 512, 513, 100_000])
    func entries(piece: Int) throws {
        let long = String(repeating: "n", count: 150)
        let extended = Self.record("path", "pax/\(long)") + Self.record("SCHILY.xattr.user.meta.a", "1=2")
        let global = Self.record("SCHILY.xattr.user.mime_type", "text/x")
        let archive: [UInt8] =
            Self.header("first", size: 5) + Self.content("12345")
            + Self.header("dir/", size: 0, kind: "5") + Self.header("link", size: 0, kind: "2")
            + Self.header("@Long", size: 151, kind: "L") + Self.content(long + "\0")
            + Self.header("short", size: 512) + Self.content(String(repeating: "x", count: 512))
            + Self.header("g", size: global.utf8.count, kind: "g") + Self.content(global)
            + Self.header("x", size: extended.utf8.count, kind: "x") + Self.content(extended)
            + Self.header("ignored", size: 0)
            + [UInt8](repeating: 0, count: 1024)
        let found = try Self.parse(archive, piece: piece)
        #expect(
            found.map { String(decoding: $0.0.name, as: UTF8.self) } == ["first", "dir/", "link", long, "pax/\(long)"])
        #expect(found.map(\.0.isFile) == [true, false, false, true, true])
        #expect(found[0].1 == "12345" && found[3].1.utf8.count == 512)
        #expect(found[4].0.attributes == ["SCHILY.xattr.user.meta.a": "1=2", "SCHILY.xattr.user.mime_type": "text/x"])
    }

    @Test("What is no archive, is cut off or asks for too much memory is refused")
    func faults() throws {
        #expect(throws: TarParser.Fault.notTar) { try Self.parse([UInt8](repeating: 65, count: 512), piece: 512) }
        var second = Self.header("b", size: 0)
        second[3] ^= 1
        #expect(throws: TarParser.Fault.badHeader) { try Self.parse(Self.header("a", size: 0) + second, piece: 512) }
        #expect(throws: TarParser.Fault.extensionTooLarge) {
            try Self.parse(Self.header("x", size: 2 << 20, kind: "x"), piece: 512)
        }
        #expect(throws: TarParser.Fault.badHeader) {
            try Self.parse(Self.header("x", size: 9, kind: "x") + Self.content("99 a=b\nxx"), piece: 512)
        }
        var parser = TarParser()
        parser.append(ByteBuffer(bytes: Self.header("a", size: 5)))
        _ = try parser.next()
        #expect(try parser.next() == .needsMore && !parser.mayEnd)
        #expect(!TarParser().mayEnd)
    }

    /// 5,000 times "martlet ", as two streams one after the other.
    private static let packed: [(bytes: String, make: @Sendable () -> any Decompressor)] = [
        (
            "H4sIAAAAAAACA+3FoQ0AMAgAsFf2GmIODOH/cAamNa3oyT+vbNu2bdu2bdu2bdu2bdu2bdu2bdu2bdu2bdu2bdunL2tyP0cgTgAA"
                + "H4sIAAAAAAACA+3FoQ0AMAgAsFf2GmIODOH/cAamNa3oyT+vbNu2bdu2bdu2bdu2bdu2bdu2bdu2bdu2bdu2bdunL2tyP0cgTgAA",
            { GzipDecompressor() }
        ),
        (
            "QlpoOTFBWSZTWaeDUVcAGGmRgEAAIgYUACAAUIYAKVBo8QqMIVGEKjZCo4QqOkKjCFR4hUfF3JFOFCQp4NRVwEJaaDkxQVkmU1mn"
                + "g1FXABhpkYBAACIGFAAgAFCGAClQaPEKjCFRhCo2QqOEKjpCowhUeIVHxdyRThQkKeDUVcA=",
            { BZip2Decompressor() }
        ),
    ]

    private static func unpack(_ bytes: [UInt8], _ decompressor: any Decompressor, piece: Int) throws -> [UInt8] {
        var content: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            decompressor.append(ByteBuffer(bytes: rest.prefix(piece)))
            rest = rest.dropFirst(piece)
            while let bytes = try decompressor.next(limit: 1000) {
                #expect(bytes.readableBytes <= 1000)
                content += bytes.readableBytesView
            }
        }
        return content
    }

    @Test(
        "Compressed bytes give what was compressed, in pieces of any size; changed ones are refused", arguments: 0..<2)
    func compression(format: Int) throws {
        let (text, make) = Self.packed[format]
        let packed = Array(try #require(Data(base64Encoded: text)))
        let expected = Array(String(repeating: "martlet ", count: 5000).utf8)
        for piece in [1, 13, 100_000] {
            let decompressor = make()
            #expect(try Self.unpack(packed, decompressor, piece: piece) == expected)
            #expect(decompressor.isAtEnd)
        }
        let cut = make()
        #expect(try Self.unpack(Array(packed.dropLast(3)), cut, piece: 50).count <= expected.count && !cut.isAtEnd)
        var changed = packed
        changed[packed.count - 5] ^= 0x40
        #expect(throws: DecompressionError.self) { try Self.unpack(changed, make(), piece: 50) }
        #expect(throws: DecompressionError.self) {
            try Self.unpack(Array("no such format, whatever".utf8), make(), piece: 50)
        }
    }
}
