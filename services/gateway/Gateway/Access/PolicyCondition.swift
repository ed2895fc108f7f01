import Foundation
import S3Protocol

/// One line of a `Condition` block: an operator, a key, and the values that it may have.
struct PolicyCondition: Sendable, Equatable {
    enum Quantifier: Sendable {
        case single
        case forAnyValue
        case forAllValues
    }

    enum Comparison: Sendable, Equatable {
        case stringEquals, stringEqualsIgnoreCase, stringLike
        case numericEquals, numericLessThan, numericLessThanEquals, numericGreaterThan, numericGreaterThanEquals
        case dateEquals, dateLessThan, dateLessThanEquals, dateGreaterThan, dateGreaterThanEquals
        case bool, binaryEquals, ipAddress, arnLike, null
    }

    var quantifier = Quantifier.single
    var comparison: Comparison
    var negated = false
    var ifExists = false
    /// Normalised.
    var key: String
    var values: [PolicyPattern]

    /// nil: the operator does not exist.
    init?(operator name: String, key: String, values: [PolicyPattern]) {
        var name = Substring(name)
        if name.hasPrefix("ForAnyValue:") {
            quantifier = .forAnyValue
            name = name.dropFirst("ForAnyValue:".count)
        } else if name.hasPrefix("ForAllValues:") {
            quantifier = .forAllValues
            name = name.dropFirst("ForAllValues:".count)
        }
        if name.hasSuffix("IfExists"), name != "Null" {
            ifExists = true
            name = name.dropLast("IfExists".count)
        }
        guard let (comparison, negated) = Self.operators[String(name)] else { return nil }
        self.comparison = comparison
        self.negated = negated
        self.key = PolicyContext.normalized(key)
        self.values = values
    }

    private static let operators: [String: (Comparison, negated: Bool)] = [
        "StringEquals": (.stringEquals, false), "StringNotEquals": (.stringEquals, true),
        "StringEqualsIgnoreCase": (.stringEqualsIgnoreCase, false),
        "StringNotEqualsIgnoreCase": (.stringEqualsIgnoreCase, true),
        "StringLike": (.stringLike, false), "StringNotLike": (.stringLike, true),
        "NumericEquals": (.numericEquals, false), "NumericNotEquals": (.numericEquals, true),
        "NumericLessThan": (.numericLessThan, false), "NumericLessThanEquals": (.numericLessThanEquals, false),
        "NumericGreaterThan": (.numericGreaterThan, false),
        "NumericGreaterThanEquals": (.numericGreaterThanEquals, false),
        "DateEquals": (.dateEquals, false), "DateNotEquals": (.dateEquals, true),
        "DateLessThan": (.dateLessThan, false), "DateLessThanEquals": (.dateLessThanEquals, false),
        "DateGreaterThan": (.dateGreaterThan, false), "DateGreaterThanEquals": (.dateGreaterThanEquals, false),
        "Bool": (.bool, false), "BinaryEquals": (.binaryEquals, false),
        "IpAddress": (.ipAddress, false), "NotIpAddress": (.ipAddress, true),
        "ArnEquals": (.arnLike, false), "ArnLike": (.arnLike, false),
        "ArnNotEquals": (.arnLike, true), "ArnNotLike": (.arnLike, true),
        "Null": (.null, false),
    ]

    /// Whether the values can be compared at all: a number where a number is wanted.
    var hasValidValues: Bool {
        values.allSatisfy { pattern in
            guard let text = pattern.resolved(value: { _ in "" }) else { return false }
            switch comparison {
            case .numericEquals, .numericLessThan, .numericLessThanEquals, .numericGreaterThan,
                .numericGreaterThanEquals:
                return Double(text) != nil
            case .dateEquals, .dateLessThan, .dateLessThanEquals, .dateGreaterThan, .dateGreaterThanEquals:
                return Self.seconds(text) != nil
            case .bool, .null: return ["true", "false"].contains(text.lowercased())
            case .ipAddress: return AddressBlock(text) != nil
            case .binaryEquals: return Base64.decode(text) != nil
            default: return true
            }
        }
    }

    // MARK: - Evaluation

    /// nil: a value is not known yet.
    func holds(in context: PolicyContext) -> Bool? {
        guard case .some(let found) = context.lookUp(key) else { return nil }
        if comparison == .null {
            let wantsAbsence = values.first?.text.lowercased() == "true"
            return (found == nil) == wantsAbsence
        }
        guard let found, !found.isEmpty else {
            return ifExists || quantifier == .forAllValues || (negated && quantifier == .single)
        }
        func isAmong(_ value: String) -> Bool {
            values.contains { matches(value, $0, context) } != negated
        }
        return quantifier == .forAllValues || (quantifier == .single && negated)
            ? found.allSatisfy(isAmong) : found.contains(where: isAmong)
    }

    private func matches(_ value: String, _ pattern: PolicyPattern, _ context: PolicyContext) -> Bool {
        switch comparison {
        case .stringLike, .arnLike: return pattern.matches(value.utf8) { context.first($0) }
        default: break
        }
        guard let wanted = pattern.resolved(value: { context.first($0) }) else { return false }
        switch comparison {
        case .stringEquals, .binaryEquals: return Array(value.utf8) == Array(wanted.utf8)
        case .stringEqualsIgnoreCase: return value.lowercased() == wanted.lowercased()
        case .bool: return value.lowercased() == wanted.lowercased()
        case .ipAddress: return AddressBlock(wanted)?.contains(value) ?? false
        case .dateEquals, .dateLessThan, .dateLessThanEquals, .dateGreaterThan, .dateGreaterThanEquals:
            return compares(Self.seconds(value), Self.seconds(wanted))
        default: return compares(Double(value), Double(wanted))
        }
    }

    private func compares(_ value: Double?, _ wanted: Double?) -> Bool {
        guard let value, let wanted else { return false }
        switch comparison {
        case .numericEquals, .dateEquals: return value == wanted
        case .numericLessThan, .dateLessThan: return value < wanted
        case .numericLessThanEquals, .dateLessThanEquals: return value <= wanted
        case .numericGreaterThan, .dateGreaterThan: return value > wanted
        case .numericGreaterThanEquals, .dateGreaterThanEquals: return value >= wanted
        default: return false
        }
    }

    /// Seconds since 1970 of a time in ISO 8601, or of a number.
    private static func seconds(_ text: String) -> Double? {
        if let number = Double(text) { return number }
        for options: ISO8601DateFormatter.Options in [
            [.withInternetDateTime], [.withInternetDateTime, .withFractionalSeconds], [.withFullDate],
        ] {
            let formatter = ISO8601DateFormatter()
            formatter.formatOptions = options
            if let date = formatter.date(from: text) { return date.timeIntervalSince1970 }
        }
        return nil
    }

    // MARK: - Public policies

    /// Keys that AWS counts when it asks whether a policy is public, if their values are fixed.
    private static let restrictingKeys: Set<String> = [
        "aws:principalorgid", "aws:principalorgpaths", "aws:principalarn", "aws:principalaccount", "aws:sourceaccount",
        "aws:sourcearn", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "aws:username",
        "s3:dataaccesspointaccount", "s3:dataaccesspointarn", "s3:x-amz-server-side-encryption-aws-kms-key-id",
    ]

    /// The condition lets fixed requesters through and nobody else.
    var restrictsRequesters: Bool {
        guard !negated, !ifExists, quantifier != .forAllValues, comparison != .null else { return false }
        if key == "aws:sourceip" { return values.allSatisfy { AddressBlock($0.text)?.isNarrow ?? false } }
        return Self.restrictingKeys.contains(key) && values.allSatisfy(\.isFixed)
    }
}
