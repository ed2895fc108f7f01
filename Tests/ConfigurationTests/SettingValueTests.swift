import Configuration
import Testing

@Suite("Values of settings")
struct SettingValueTests {
    @Test(
        "Byte sizes have units",
        arguments: [
            ("4096", 4096), ("1 KiB", 1024), ("64MiB", 64 << 20), ("1.5 GiB", 3 << 29), ("2 GB", 2_000_000_000),
            ("10k", 10240),
        ])
    func byteSize(text: String, bytes: Int) throws {
        #expect(try ByteSize(parsing: .text(text)).bytes == bytes)
    }

    @Test("What is no size is refused", arguments: ["", "MiB", "-1", "12 XiB", "99999999 TiB", "1..5 MiB"])
    func badByteSize(text: String) {
        #expect(throws: InvalidValue.self) { try ByteSize(parsing: .text(text)) }
    }

    @Test(
        "Durations have units",
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("2 s", .seconds(2)), ("1.5m", .seconds(90)),
            ("24h", .seconds(86400)),
            ("7d", .seconds(604_800)), ("0", .zero),
        ])
    func duration(text: String, value: Duration) throws {
        #expect(try Duration(parsing: .text(text)) == value)
    }

    @Test("A duration without a unit is refused with a hint")
    func unitIsRequired() {
        #expect(throws: InvalidValue("\"30\" has no unit; use ms, s, m, h or d")) { try Duration(parsing: .text("30")) }
    }

    @Test("What is printed reads back as the same value")
    func roundTrip() throws {
        for size in [0, 1, 1000, 4096, 5 << 20, 3 << 40] {
            let text = String(ByteSize(bytes: size).tomlText.dropFirst().dropLast())
            #expect(try ByteSize(parsing: .text(text)).bytes == size)
        }
        for duration in [Duration.zero, .nanoseconds(7), .milliseconds(1500), .seconds(90), .seconds(7200)] {
            let text = String(duration.tomlText.dropFirst().dropLast())
            #expect(try Duration(parsing: .text(text)) == duration)
        }
        #expect("a\"b\\c\n".tomlText == #""a\"b\\c\n""#)
    }

    @Test("A list may be written with commas")
    func list() throws {
        #expect(try [String](parsing: .text("a, b ,,c")) == ["a", "b", "c"])
        #expect(try [String](parsing: .list(["a,b"])) == ["a,b"])
    }
}
