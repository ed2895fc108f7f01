import Linearizability
import Testing

@Suite struct HistoryFileTests {
    private static let history = [
        put("a", 1, 2), put("b", 3, nil), get(nil, 4, 5), get("a", 4, 5), delete(6, 7),
        putIf(.absent, "c\n\"", 8, 9), putIf(.holds("a"), "d", 8, 9, .refused),
    ]

    @Test("what is written is read back")
    func roundTrip() throws {
        #expect(try HistoryFile.decode(HistoryFile.encode(Self.history)) == Self.history)
    }

    @Test("one operation is one line with these names")
    func line() {
        #expect(
            HistoryFile.encode(putIf(.holds("a"), "d", 8, 9, .refused))
                == #"{"call":8,"client":0,"condition":"holds","expected":"a","key":"k","kind":"conditionalPut","#
                + #""outcome":"refused","return":9,"value":"d"}"#)
    }

    @Test("a torn last line is left out, any other is an error with its number")
    func torn() throws {
        let text = HistoryFile.encode(Self.history)
        #expect(try HistoryFile.decode(String(text.dropLast(5))) == Self.history.dropLast())
        #expect(throws: HistoryFileError.self) { try HistoryFile.decode("{}\n" + text) }
        let error = #expect(throws: HistoryFileError.self) { try HistoryFile.decode("\n\nnonsense\n") }
        #expect(error?.line == 3)
    }

    @Test(
        "contradictions are refused",
        arguments: [
            #"{"call":1,"client":0,"key":"k","kind":"put","outcome":"ok","return":2}"#,
            #"{"call":1,"client":0,"key":"k","kind":"put","outcome":"ok","value":"a"}"#,
            #"{"call":1,"client":0,"key":"k","kind":"conditionalPut","outcome":"ok","return":2,"value":"a"}"#,
            #"{"call":1,"client":0,"condition":"soon","key":"k","kind":"conditionalPut","outcome":"ok","return":2,"value":"a"}"#,
        ])
    func contradiction(line: String) {
        #expect(throws: HistoryFileError.self) { try HistoryFile.decode(line + "\n") }
    }
}
