/// A pattern of a policy: `*` stands for any text, `?` for one byte, `${key}` for what the request says.
///
/// Compared as bytes: two spellings of one Unicode text are different keys.
struct PolicyPattern: Sendable, Equatable {
    private enum Piece: Sendable, Equatable {
        case literal([UInt8])
        case anyText
        case anyByte
        /// A value of the request, or what stands there when the request has none.
        case variable(String, otherwise: String?)
    }

    /// What a pattern is made of when it is compared.
    private enum Token {
        case byte(UInt8)
        case anyText
        case anyByte
    }

    private let pieces: [Piece]
    let text: String

    /// nil when a variable is not closed.
    ///
    /// - Parameter hasVariables: policies of version 2008-10-17 have none: `${` is text.
    init?(_ text: String, hasVariables: Bool) {
        self.text = text
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        func close() {
            if !literal.isEmpty { pieces.append(.literal(literal)) }
            literal = []
        }
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            if hasVariables, byte == UInt8(ascii: "$"), rest.first == UInt8(ascii: "{") {
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { return nil }
                close()
                pieces.append(Self.variable(Substring(rest[rest.index(after: rest.startIndex)..<end])))
                rest = rest[rest.index(after: end)...]
            } else if byte == UInt8(ascii: "*") {
                close()
                if pieces.last != .anyText { pieces.append(.anyText) }
            } else if byte == UInt8(ascii: "?") {
                close()
                pieces.append(.anyByte)
            } else {
                literal.append(byte)
            }
        }
        close()
        self.pieces = pieces
    }

    /// `${*}`, `${?}` and `${$}` are the characters themselves; `${key, 'text'}` has a default.
    private static func variable(_ text: Substring) -> Piece {
        if ["*", "?", "$"].contains(text) { return .literal(Array(text.utf8)) }
        let parts = text.split(separator: ",", maxSplits: 1).map { $0.filter { $0 != " " } }
        let otherwise = parts.count == 2 ? parts[1].filter { $0 != "'" } : nil
        return .variable(parts.first ?? "", otherwise: otherwise)
    }

    /// Whether the pattern has neither a wildcard nor a variable.
    var isFixed: Bool { pieces.allSatisfy { if case .literal = $0 { true } else { false } } }

    /// - Parameter value: of a variable; nil: the request has none, and nothing matches.
    func matches(
        _ text: some Sequence<UInt8>, ignoringCase: Bool = false, value: (String) -> String? = { _ in nil }
    ) -> Bool {
        var tokens: [Token] = []
        for piece in pieces {
            switch piece {
            case .literal(let bytes): tokens += bytes.map(Token.byte)
            case .anyText: tokens.append(.anyText)
            case .anyByte: tokens.append(.anyByte)
            case .variable(let key, let otherwise):
                guard let value = value(key) ?? otherwise else { return false }
                tokens += value.utf8.map(Token.byte)
            }
        }
        return Self.match(tokens, Array(text), ignoringCase)
    }

    /// The literal text with variables filled in; nil when the request lacks one.
    func resolved(value: (String) -> String?) -> String? {
        var result = ""
        for piece in pieces {
            switch piece {
            case .literal(let bytes): result += String(decoding: bytes, as: UTF8.self)
            case .anyText: result += "*"
            case .anyByte: result += "?"
            case .variable(let key, let otherwise):
                guard let value = value(key) ?? otherwise else { return nil }
                result += value
            }
        }
        return result
    }

    /// Goes back to the last `*` only: linear in text × pattern at worst, whatever the pattern.
    private static func match(_ tokens: [Token], _ text: [UInt8], _ ignoringCase: Bool) -> Bool {
        var (index, position) = (0, 0)
        var retry: (index: Int, position: Int)?
        while position < text.count {
            if index < tokens.count {
                switch tokens[index] {
                case .anyText:
                    retry = (index + 1, position)
                    index += 1
                    continue
                case .anyByte:
                    (index, position) = (index + 1, position + 1)
                    continue
                case .byte(let byte):
                    let same = ignoringCase ? lowercased(byte) == lowercased(text[position]) : byte == text[position]
                    if same {
                        (index, position) = (index + 1, position + 1)
                        continue
                    }
                }
            }
            guard let last = retry else { return false }
            retry = (last.index, last.position + 1)
            (index, position) = (last.index, last.position + 1)
        }
        return tokens[index...].allSatisfy { if case .anyText = $0 { true } else { false } }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte + 32 : byte }
}
